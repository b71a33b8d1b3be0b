"""Instances from rows and requests: what is read, and errors that name the field."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.datasets.records import ProblemRecord
from quasar.datasets.task_records import TaskRecord, is_task_row
from quasar.errors import InputError, TaskError
from quasar.tasks import get_task
from tests.tasks.instances import NAMES, cells, made

TFIM = {"parameters": {"coupling": 1.0, "field": 0.5}}
FIVE = {
    "stabilisers": ["XZZXI", "IXZZX", "XIXZZ", "ZXIXZ"],
    "logical_x": ["XXXXX"],
    "logical_z": ["ZZZZZ"],
}
FAULTS = [
    ("ground_state", "tfim", {}, 4, "'family' is 'tfim'; valid: tfim_chain"),
    ("ground_state", "tfim_chain", {}, 4, "'instance.parameters' is missing"),
    ("ground_state", "tfim_chain", {"parameters": 3}, 4, "'instance.parameters' must be an object"),
    ("ground_state", "tfim_chain", {**TFIM, "more": 1}, 4, "'instance.more' is not used"),
    ("ground_state", "tfim_chain", TFIM, None, "field 'n_qubits' is missing"),
    ("ground_state", "tfim_chain", TFIM, 40, "'n_qubits' is 40"),
    ("ground_state", "tfim_chain", {"parameters": {"coupling": 1}}, 4, "'field' is missing"),
    (
        "ground_state",
        "tfim_chain",
        {"parameters": {"coupling": 1, "field": 1, "fields": 2}},
        4,
        "parameter 'fields' is not used",
    ),
    (
        "ground_state",
        "tfim_chain",
        {"parameters": {"coupling": "1", "field": 1}},
        4,
        "parameter 'coupling' is '1', expected a number",
    ),
    ("ground_state", "heisenberg_chain", {"parameters": {"couplings": [1]}}, 4, "has 3 bonds"),
    ("ground_state", "h2", {"parameters": {"bond_length": 0.2}}, None, "is 0.2 Å, expected 0.3 to"),
    ("ground_state", "lih", {"parameters": {"bond_length": 4.5}}, None, "expected 0.8 to 4"),
    ("ground_state", "custom", {"hamiltonian": "X0*Q1"}, 2, "'instance.hamiltonian'"),
    ("ground_state", "custom", {"hamiltonian": 5}, 2, "'instance.hamiltonian' must be text"),
    ("ground_state", "custom", {"hamiltonian": "1*X5"}, 2, "X5 where there are 2 qubits"),
    ("ground_state", "custom", {"hamiltonian": "1*X20"}, None, "'instance.hamiltonian'"),
    ("ground_state", "custom", {"hamiltonian": "1*Z0 + 1*Z1"}, 2, "there is nothing to find"),
    ("ground_state", "custom", {"hamiltonian": ""}, 2, "there is nothing to find"),
    (
        "ground_state",
        "custom",
        {"hamiltonian": "1*X0*X1", "sector": {"up": 3, "down": 0}},
        2,
        "'instance.sector'.up is 3",
    ),
    (
        "ground_state",
        "custom",
        {"hamiltonian": "1*X0 + 1*Z0*Z1", "sector": {"up": 1, "down": 0}},
        2,
        "leaves the sector",
    ),
    ("state_preparation", "ghz", {}, 3, "'instance.sign' is missing"),
    ("state_preparation", "ghz", {"sign": 2}, 3, "'instance.sign' is 2"),
    ("state_preparation", "ghz", {"sign": 1}, None, "field 'n_qubits' is missing"),
    ("state_preparation", "ghz", {"sign": 1}, 13, "'n_qubits' is 13, expected 1 to 12"),
    ("state_preparation", "ghz", {"sign": 1}, 1, "a GHZ state has at least 2"),
    ("state_preparation", "w", {"sign": 1}, 3, "it takes: nothing"),
    ("state_preparation", "bell", {"which": "phi"}, None, "valid: phi+, phi-, psi+, psi-"),
    ("state_preparation", "known", {"states": ["0", "0"]}, None, "there is nothing to prepare"),
    ("state_preparation", "known", {"states": ["0", "y"]}, None, "'instance.states' has 'y'"),
    ("state_preparation", "known", {"states": ["0", "1"]}, 3, "a list of 3: one a qubit"),
    ("state_preparation", "product", {"angles": [[1, 2, 3]]}, None, "[a, b] in radians"),
    ("state_preparation", "dicke", {"ones": 4}, 4, "expected 1 to 3"),
    ("state_preparation", "graph", {"edges": [[0, 3]]}, 3, "qubits are 0 to 2"),
    ("state_preparation", "graph", {"edges": [[0, 1], [1, 0]]}, 3, "has [1, 0] twice"),
    ("state_preparation", "cluster", {"shape": "rows"}, 5, "an even number of qubits"),
    ("state_preparation", "sparse", {"amplitudes": {"02": 1}}, 2, "2 characters 0 or 1"),
    ("state_preparation", "sparse", {"amplitudes": {"01": 2}}, 2, "the squares sum to 4, not 1"),
    ("state_preparation", "sparse", {"amplitudes": {"01": [0, float("nan")]}}, 2, "a number"),
    ("state_preparation", "real", {"amplitudes": [0.6, [0, 0.8]]}, None, "expected a number"),
    (
        "state_preparation",
        "complex",
        {"amplitudes": [1, 0, 0]},
        2,
        "3 entries, expected a list of 4",
    ),
    ("state_preparation", "gaussian", {"mean": 9, "width": 1}, 3, "'instance.mean' is 9"),
    ("stabiliser", "custom", {}, None, "'instance' has no rows"),
    ("stabiliser", "custom", {"stabilizers": ["XX"]}, None, "'instance.stabilizers' is not used"),
    ("stabiliser", "custom", {"stabilisers": "XX"}, None, "must be a list of strings"),
    ("stabiliser", "custom", {"stabilisers": [5]}, None, "'instance.stabilisers' has 5"),
    ("stabiliser", "custom", {"stabilisers": ["XA", "ZZ"]}, None, "letters I, X, Y, Z"),
    ("stabiliser", "custom", {"stabilisers": ["XX", "ZZZ"]}, None, "of 3 letters; there are 2"),
    ("stabiliser", "custom", {"stabilisers": ["XX", "ZI"]}, None, "S0 and S1 must commute"),
    ("stabiliser", "custom", {"stabilisers": ["XX", "-XX"]}, None, "row S1 is a product"),
    ("stabiliser", "custom", {"stabilisers": ["XX"]}, None, "there must be 2 stabilisers"),
    ("stabiliser", "custom", {"stabilisers": ["ZI", "IX"]}, None, "nothing to entangle"),
    ("stabiliser", "five_qubit", {**FIVE, "logical_x": []}, None, "one each a logical qubit"),
    ("stabiliser", "five_qubit", {**FIVE, "logical_z": ["XXXXX"]}, None, "must anticommute"),
    ("stabiliser", "custom", {"stabilisers": ["X" * 101]}, None, "expected 1 to 100"),
]


@pytest.mark.parametrize(("name", "family", "content", "num_qubits", "message"), FAULTS)
def test_what_is_wrong_is_named(name, family, content, num_qubits, message):
    with pytest.raises(TaskError) as error:
        get_task(name).read(family, content, num_qubits=num_qubits)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", [None, 5, "text", [1], {"instance": {}}, {"": None}])
def test_content_of_any_shape_is_refused(name, content):
    task = get_task(name)
    for family in task.families:
        with pytest.raises(TaskError):
            task.read(family, content, num_qubits=2)


def test_a_custom_hamiltonian_says_its_size_and_keeps_one_form():
    task = get_task("ground_state")
    one = task.read("custom", {"hamiltonian": "-1*Z1*Z0 + -0.5*X0 + -0.5*X1"})
    other = task.read("custom", {"hamiltonian": "-0.5*X1 + -0.5*X0 + -1*Z0*Z1"}, num_qubits=2)
    assert one == other
    assert one.key == other.key
    assert one.num_qubits == 2
    assert task.facts(one).ground.energy == pytest.approx(-np.sqrt(2), abs=1e-10)


def test_rows_are_written_and_read_back():
    for name in NAMES:
        family, n = cells(name, 3)[0]
        task, instance, facts = made(name, family, n)
        row = {
            "sample_index": 3,
            "task": name,
            "family": family,
            "n_qubits": n,
            "instance": dict(instance.content),
            "reference_circuit": task.reference(instance, facts),
            "note": "kept",
        }
        record = TaskRecord.from_dict(row)
        assert record.problem == instance
        assert record.problem.reference_circuit == row["reference_circuit"]
        assert record.to_dict() == row | {"signature": instance.key}
        text = {**row, "instance": json.dumps(row["instance"])}  # as hubs store objects
        assert TaskRecord.from_dict(text) == record
        assert is_task_row(row)
        assert TaskRecord.from_dict(record.to_dict()) == record


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "ground_stat"}, "did you mean 'ground_state'?"),
        ({"task": "ising"}, "a graph problem has no 'instance'"),
        ({"familly": "h2"}, "unknown field 'familly'; did you mean 'family'?"),
        ({"family": None}, "field 'family' is missing"),
        ({"instance": "{"}, "field 'instance' is text that is not JSON"),
        ({"instance": None}, "field 'instance' is missing"),
        ({"n_qubits": "4"}, "field 'n_qubits' is '4', expected an integer"),
    ],
)
def test_faulty_rows_are_named(change, message):
    row = {
        "sample_index": 0,
        "task": "ground_state",
        "family": "h2",
        "instance": {"parameters": {"bond_length": 0.75}},
        **change,
    }
    if "familly" in change:
        del row["family"]
    with pytest.raises(InputError) as error:
        TaskRecord.from_dict(row)
    assert message in str(error.value)


def test_a_reader_of_graph_problems_names_the_task_that_it_meets():
    row = {"sample_index": 0, "task": "ground_state", "family": "h2", "instance": {}}
    with pytest.raises(InputError, match="field 'task' is 'ground_state'"):
        ProblemRecord.from_dict(row)


@given(st.permutations([(0, 1), (1, 3), (0, 2), (2, 3)]), st.lists(st.booleans(), min_size=4))
def test_a_graph_is_the_same_instance_however_its_edges_are_listed(edges, turned):
    """Else one that is held out could be trained on under another key."""
    task = get_task("state_preparation")
    listed = [[b, a] if turn else [a, b] for (a, b), turn in zip(edges, turned, strict=False)]
    found = task.read("graph", {"edges": listed}, num_qubits=4)
    plain = task.read("graph", {"edges": [[0, 1], [0, 2], [1, 3], [2, 3]]}, num_qubits=4)
    assert found.key == plain.key
    assert found.content == plain.content
