"""A task and a part from outside the package; weights of parts; what may be wrong with a plugin."""

import tomllib
from functools import partial

import pytest

from quasar.config import RewardWeights, flatten, load_config, to_commented_yaml, with_overrides
from quasar.config.task_names import declared_parts
from quasar.errors import ConfigError, TaskError
from quasar.tasks import get_task, task_names
from quasar.verification.reward import GRAPH_PARTS
from tests.support.plugins import ROOT, run_with_plugin

EXAMPLE = ROOT / "examples" / "own_task"

quasar = partial(run_with_plugin, example=EXAMPLE, group="quasar.tasks")
DECLARED = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
OWN = DECLARED["entry-points"]["quasar.tasks"]
PROGRAM = """
import numpy as np
from quasar.config import load_config
from quasar.tasks import get_task, task_names
from quasar.tasks.check import check_task
from quasar.verification.request import request_of
from quasar.verification.reward import score
from quasar.verification.verifier import Verifier
from quasar.config import VerificationConfig

assert {"parity", "sharp_ground_state"} < set(task_names())
found = check_task("parity", instances=8, max_qubits=4)
assert found.passed, found.faults
config = load_config("laptop", ["reward.weights.sharp_ground_state.sharpness=0.25"])
task = get_task("sharp_ground_state")
instance = task.generate(np.random.default_rng(0), family="tfim_chain", num_qubits=2)
request = request_of(instance, task.reference(instance, task.facts(instance)))
scored = score(request.answer(Verifier(VerificationConfig())), config.reward)
assert 0 < scored.parts["sharpness"] <= 1
assert scored.weighted["sharpness"] == 0.25 * scored.parts["sharpness"]
assert scored.weighted["energy"] == 0.6 * scored.parts["energy"]
assert load_config("laptop", ["reward.weights.sharpness=0.5"]).reward.weights.of(
    "sharp_ground_state", "sharpness") == 0.5
"""


def test_a_task_and_a_part_from_outside_the_package(tmp_path):
    done = quasar(tmp_path, PROGRAM, entry_points=OWN, program=("-c",))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("other", "parity:Parity", "the class is named 'parity'"),
        ("missing", "no_such_module:Task", "ModuleNotFoundError"),
        ("number", "math:pi", "not a Task"),
        ("stabiliser", "parity:Parity", "the class is named 'parity'"),
    ],
)
def test_a_faulty_entry_point_is_one_line(tmp_path, name, value, message):
    done = quasar(tmp_path, "tasks", "list", entry_points={name: value})
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_unknown_tasks_are_refused_with_the_nearest_name():
    with pytest.raises(TaskError, match="did you mean 'ground_state'"):
        get_task("ground_stat")
    with pytest.raises(TaskError, match="unknown task None"):
        get_task(None)
    assert task_names()[:4] == ("ising", "ground_state", "state_preparation", "stabiliser")


def test_weights_of_parts_are_shared_overridden_or_the_parts_own():
    def weights(*overrides):
        return load_config("laptop", overrides).reward.weights

    for task in task_names():
        for part, declared in declared_parts(task).items():
            assert RewardWeights().of(task, part) == declared.weight
    shared = weights("reward.weights.fidelity=0.3")
    assert {shared.of(t, "fidelity") for t in ("ground_state", "state_preparation")} == {0.3}
    own = weights("reward.weights.fidelity=0.3", "reward.weights.ground_state.fidelity=0.9")
    assert own.of("ground_state", "fidelity") == 0.9
    assert own.of("state_preparation", "fidelity") == 0.3
    assert weights("reward.weights.ising.expectation=0.1").of("ising", "expectation") == 0.1
    assert weights("reward.weights.syntax=2").of("stabiliser", "syntax") == 2.0
    assert weights("reward.weights.stabiliser.validity=0.5").of("stabiliser", "validity") == 0.5
    assert weights("reward.weights.stabiliser.rows=1e-6").of("stabiliser", "rows") == 1e-6


def test_graph_problems_declare_the_weights_that_the_tree_has():
    for name, part in GRAPH_PARTS.items():
        assert RewardWeights.model_fields[name].default == part.weight


def test_weights_of_parts_survive_the_tree(tmp_path):
    config = load_config(
        "laptop", ["reward.weights.ground_state.energy=0.9", "reward.weights.rows=0.2"]
    )
    values = {path: value for path, value, _ in flatten(config)}
    assert values["reward.weights.ground_state.energy"] == 0.9
    assert values["reward.weights.rows"] == 0.2
    (tmp_path / "c.yaml").write_text(to_commented_yaml(config))
    assert load_config(tmp_path / "c.yaml") == config
    swept = with_overrides(config, {"reward.weights.ground_state.energy": 0.1})
    assert swept.reward.weights.of("ground_state", "energy") == 0.1
    assert swept != config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("ground_state.enrgy=1", "did you mean 'reward.weights.ground_state.energy'"),
        ("ground_stat.energy=1", "did you mean 'reward.weights.ground_state'"),
        ("fidelty=1", "did you mean 'reward.weights.fidelity'"),
        ("expectations=1", "did you mean 'reward.weights.expectation'"),
        ("fidelity=-1", "at least 0, not -1"),
        ("fidelity=.nan", "at least 0, not nan"),
        ("fidelity=true", "at least 0, not True"),
        ("ground_state.energy=x", "at least 0, not 'x'"),
        ("ground_state=1", "unknown key 'reward.weights.ground_state'"),
        ("stabiliser.two_qubit_cost=3", "stabiliser.two_qubit_cost 3 is above syntax"),
    ],
)
def test_weights_that_are_none_are_named(override, message):
    with pytest.raises(ConfigError) as error:
        load_config("laptop", [f"reward.weights.{override}"])
    assert message in str(error.value)
