"""The graph problems are one task among others, with every figure as before, to the bit."""

import json

import pytest

from quasar.verification.stages.published_utility import can_pin
from tests.tasks import graph_digests


@pytest.mark.skipif(not can_pin(), reason="rounding is that of one kind of processor")
def test_records_prompts_rewards_and_evaluation_are_as_before(tmp_path):
    stored = json.loads(graph_digests.STORED.read_text("utf-8"))
    found = dict(graph_digests.figures(tmp_path))
    assert len(stored) == 11
    assert {k: v for k, v in found.items() if stored[k] != v} == {}
    assert found.keys() == stored.keys()
