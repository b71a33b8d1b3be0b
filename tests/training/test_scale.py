"""`benchmarks/scale.py` where the driver costs nothing: what remains is known in closed form."""

import pytest
from scale import Scale
from scale_recording import Recording
from simulated_nodes import Trouble
from simulated_ray import RayCosts

EACH, TOKEN, SYNC = 0.01, 0.001, 0.2  # seconds
RECORDING = Recording("a test", (EACH,), (TOKEN,), SYNC, response_tokens=72, trained_tokens=3)
PER_NODE = 32


@pytest.fixture(scope="module")
def scale(tmp_path_factory):
    return Scale(RECORDING, RayCosts(), tmp_path_factory.mktemp("scale"), timer=lambda: 0.0)


@pytest.mark.parametrize("slower", [1.0, 100.0])
def test_a_step_without_faults_is_a_share_and_an_update_and_a_publication(scale, slower):
    alone = scale.run(1, PER_NODE, steps=1, slower=slower)
    trained = alone.metrics["trained_tokens"]
    assert 0 < trained <= 3 * PER_NODE
    assert alone.step_s == pytest.approx(slower * (PER_NODE * EACH + trained * TOKEN + SYNC))
    assert (alone.driver_s, alone.lost, alone.remade) == (0.0, 0, 0)
    # The shares of more nodes are made at a time: what grows is the largest part of an update.
    many = scale.run(4, 4 * PER_NODE, steps=1, slower=slower)
    update = many.step_s / slower - PER_NODE * EACH - SYNC
    trained = many.metrics["trained_tokens"]
    assert trained / 4 * TOKEN - 1e-9 <= update < trained * TOKEN


def test_rollouts_ahead_of_the_learners_hide_behind_them(tmp_path, scale):
    ahead = Scale(RECORDING, RayCosts(), tmp_path, staleness=1, timer=lambda: 0.0)
    made = ahead.run(2, 2 * PER_NODE, steps=3)
    turns = scale.run(2, 2 * PER_NODE, steps=3)
    assert made.metrics["token_age/max"] == 1.0
    assert 0.0 < made.step_s < turns.step_s


def test_no_rollout_is_lost_or_doubled_with_the_nodes_that_fail_and_a_seed_repeats_it(scale):
    trouble = Trouble(failures_per_hour=60.0, detected_s=1.0, restart_s=5.0, stragglers=0.1)
    size = dict(steps=4, slower=30.0)
    calm = scale.run(8, 8 * PER_NODE, **size)
    troubled = scale.run(8, 8 * PER_NODE, trouble=trouble, **size)
    # The run itself looks at each rollout of each step.
    assert troubled.lost > 0
    assert troubled.remade > 0
    assert troubled.metrics["episodes_received"] == 8 * PER_NODE
    assert troubled.step_s > calm.step_s
    assert scale.run(8, 8 * PER_NODE, trouble=trouble, **size) == troubled
    worse = Trouble(failures_per_hour=60.0, detected_s=2.0, restart_s=5.0, stragglers=0.1)
    assert scale.run(8, 8 * PER_NODE, trouble=worse, **size) != troubled


def test_the_seconds_of_the_driver_move_the_clock(tmp_path, scale):
    costs = RayCosts(submit=0.5)
    costly = Scale(RECORDING, costs, tmp_path, timer=lambda: 0.0)
    made, free = costly.run(1, PER_NODE, steps=1), scale.run(1, PER_NODE, steps=1)
    # A share, weights to the worker, a board of counters, and three calls of the learner.
    assert made.driver_s == pytest.approx(6 * costs.submit)
    assert made.step_s == pytest.approx(free.step_s + made.driver_s)
