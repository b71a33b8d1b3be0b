"""Learning rates over a run."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.config import GrpoConfig, SftConfig
from quasar.training.algorithm.schedules import grpo_rate, supervised_rate


def test_grpo_warms_up_then_decays_to_its_final_share():
    config = GrpoConfig(iterations=24, learning_rate=1e-3, warmup_steps=3, final_learning_rate=0.05)
    rates = [grpo_rate(config, step) for step in range(24)]
    assert rates[:4] == pytest.approx([0.25e-3, 0.5e-3, 0.75e-3, 1e-3])
    assert rates[-1] == pytest.approx(0.05e-3)
    falls = [a - b for a, b in pairwise(rates[3:])]
    assert falls == pytest.approx([0.95e-3 / 20] * 20)


@given(st.integers(0, 300), st.integers(0, 50), st.integers(0, 400))
def test_grpo_with_a_final_share_of_one_stays_at_its_rate(iterations, warmup, step):
    config = GrpoConfig(iterations=iterations, warmup_steps=warmup, final_learning_rate=1.0)
    wanted = config.learning_rate * min(1.0, (step + 1) / (warmup + 1))
    assert grpo_rate(config, step) == pytest.approx(wanted)


@given(st.integers(2, 1000), st.data())
def test_supervised_rate_stays_between_zero_and_its_peak(total, data):
    config = SftConfig()
    step = data.draw(st.integers(0, total - 1))
    assert 0.0 < supervised_rate(config, step, total) <= config.learning_rate
    assert supervised_rate(config, total, total) == pytest.approx(0.1 * config.learning_rate)
