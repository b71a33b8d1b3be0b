import pytest

from quasar.config import load_config
from quasar.errors import ConfigError
from quasar.run_directory import Run


@pytest.fixture
def load(tmp_path):
    place = [f"run.directory={tmp_path}", "run.name=here"]
    return lambda *overrides: load_config("laptop", [*place, *overrides])


def test_a_run_may_go_on_elsewhere_and_keeps_where(load):
    run = Run(load())
    moved = load("learner.num_learners=4", "rollout.num_workers=7", "dataset.num_workers=1")
    assert Run(moved).config == moved
    assert load_config(run.directory / "config.yaml") == moved


def test_a_run_does_not_go_on_as_another_and_the_difference_is_named(load):
    run = Run(load())
    before = (run.directory / "config.yaml").read_text()
    with pytest.raises(ConfigError, match=r"\(grpo.iterations is 120, not 60\).*run.name=NAME"):
        Run(load("grpo.iterations=60", "learner.num_learners=4"))
    with pytest.raises(ConfigError, match=r"run.seed is 0, not 1"):
        Run(load("run.seed=1"))
    assert (run.directory / "config.yaml").read_text() == before
