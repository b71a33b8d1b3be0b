"""Files of problems and of answers to them."""

import json
from pathlib import Path

import pytest

from tests.evaluation.known_answers import COVER, PATH, TRIANGLE


@pytest.fixture
def files(tmp_path):
    """Two vertex-cover problems (the second without a reference) and a way to write answers."""
    rows = [
        {
            "sample_index": index,
            "problem_type": "vertex_cover",
            "graph": graph,
            "reference_circuit": reference,
        }
        for index, graph, reference in ((7, PATH, COVER), (9, TRIANGLE, None))
    ]
    problems = tmp_path / "problems.jsonl"
    problems.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def write(*lines: dict | str) -> tuple[Path, Path]:
        generations = tmp_path / "generations.jsonl"
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        generations.write_text("\n".join(texts) + "\n")
        return problems, generations

    return write
