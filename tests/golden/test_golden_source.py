"""The golden fixture is what the published file says, where that file is here."""

import json
from pathlib import Path

import pytest

from tests.golden import data, make

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "problems.jsonl"
pytestmark = pytest.mark.skipif(
    not PUBLISHED.is_file(), reason="the benchmark's problems are not here"
)


@pytest.fixture(scope="module")
def published():
    return [json.loads(line) for line in PUBLISHED.read_text("utf-8").splitlines()]


def test_facts_are_those_of_the_published_file(published):
    assert make.facts(published) == list(data.rows())


def test_rows_are_the_published_ones_field_by_field(published):
    rows = {row["sample_index"]: row for row in published}
    for facts in data.rows():
        published_row = rows[facts["sample_index"]]
        made = data.benchmark_row(facts)
        lowest = made["exact_solution"].pop("smallest_eigenvalues")
        exact = dict(published_row["exact_solution"])
        assert exact.pop("smallest_eigenvalues") == pytest.approx(lowest, abs=1e-9)
        assert made.pop("exact_solution") == exact
        assert made == {name: published_row[name] for name in made}
