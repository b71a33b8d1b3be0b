"""Tasks in a person's words: what is understood, what is refused, and that nothing is guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.config.task_names import GRAPH_TASK, task_names
from quasar.errors import TaskError
from quasar.schema.words.tasks import read_task
from quasar.tasks import get_task

COUPLED = {"parameters": {"couplings": [1.0] * 5}}
PLUS = {"stabilisers": ["+XXX", "+ZZI", "+IZZ"], "logical_x": [], "logical_z": []}
CUSTOM = {"hamiltonian": "-0.5*X0 + -0.5*X1 + -1*Z0*Z1"}


@pytest.mark.parametrize(
    ("text", "family", "num_qubits", "content", "notes"),
    [
        ("prepare a GHZ state on five qubits", "ghz", 5, {"sign": 1}, 0),
        ("I need a 3-qubit GHZ state with a minus sign, please.", "ghz", 3, {"sign": -1}, 0),
        ("Make a W state of 4 qubits", "w", 4, {}, 0),
        ("bell state psi-", "bell", 2, {"which": "psi-"}, 0),
        ("Bell state", "bell", 2, {"which": "phi+"}, 1),
        ("a Dicke state with 2 ones on four qubits", "dicke", 4, {"ones": 2}, 0),
        ("prepare |0>|+>|-i>", "known", 3, {"states": ["0", "+", "-i"]}, 0),
        ("graph state of the edges 0-1 1-2", "graph", 3, {"edges": [[0, 1], [1, 2]]}, 0),
        ("cluster state of a ring on 4 qubits", "cluster", 4, {"shape": "ring"}, 0),
        ("ground state of a six-site Heisenberg chain", "heisenberg_chain", 6, COUPLED, 1),
        ("What is the ground state of the transverse-field Ising ring on 4 sites with field 0.5 "
         "and coupling=1?", "tfim_ring", 4, {"parameters": {"coupling": 1.0, "field": 0.5}}, 0),
        ("ground state of the hydrogen molecule at 0.75 angstrom", "h2", 4,
         {"parameters": {"bond_length": 0.75}}, 0),
        ("ground state of H = -1*Z0*Z1 + -0.5*X0 + -0.5*X1", "custom", 2, CUSTOM, 0),
        ("stabiliser state of +XXX +ZZI +IZZ", "custom", 3, PLUS, 0),
    ],
)  # fmt: skip
def test_what_is_understood(text, family, num_qubits, content, notes):
    found = read_task(text)
    assert found is not None
    assert (found.instance.family, found.instance.num_qubits) == (family, num_qubits)
    assert found.instance.content == content
    assert len(found.notes) == notes


@pytest.mark.parametrize(
    ("text", "num_qubits"),
    [("encoder of the five-qubit code", 5), ("encoder for Shor's code", 9),
     ("encoder of the 3-qubit repetition code", 3), ("distance-3 surface code encoder", 9)],
)  # fmt: skip
def test_codes_by_name_are_the_encoders_that_the_task_draws(text, num_qubits):
    found = read_task(text)
    assert found is not None
    task, instance = get_task("stabiliser"), found.instance
    assert instance.num_qubits == num_qubits
    assert len(instance.content["stabilisers"]) == num_qubits - 1
    facts = task.facts(instance)
    circuit = task.read_program(task.reference(instance, facts), instance, None)
    assert task.grade(instance, circuit, facts).success


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prepare a GHZ state", "the number of qubits is not said"),
        ("prepare a GHZ state on five qubits and three bananas", "not understood: 3 bananas"),
        ("prepare a GHZ state on 99 qubits", "'n_qubits' is 99"),
        ("prepare |0>|1> on 3 qubits", "2 kets stand beside another state or size"),
        ("a Dicke state on 4 qubits", "how many ones"),
        ("ground state of my cat", "of which Hamiltonian is not understood"),
        ("ground state of a Heisenberg chain", "the number of sites is not said"),
        ("ground state of the hydrogen molecule at 9 angstrom", "9 Å, expected 0.3 to 3"),
        ("stabiliser state", "no strings and no code are named"),
        ("stabiliser state of +XX", "1 strings of 2 letters are no state"),
        ("encoder of the 4-qubit repetition code", "no repetition code on 4 qubits"),
        ("prepare a GHZ state on five qubits " + "x" * 5000, "not understood"),
    ],
)
def test_what_is_not_clear_is_refused_in_one_line(text, message):
    with pytest.raises(TaskError, match=message) as refused:
        read_task(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["vertex cover of 0-1 1-2", "ground state of ising 0-1:1 1-2:-1", "max cut of K4", ""]
)
def test_graph_problems_are_left_to_their_own_reader(text):
    assert read_task(text) is None


@given(st.text(alphabet="ghzw state|0+>-ofXYZ*15 qubitsground=", max_size=80))
def test_any_text_is_understood_refused_or_not_meant(text):
    for name in task_names():
        if name == GRAPH_TASK:
            continue
        try:
            found = get_task(name).from_words(text)
        except TaskError:
            continue
        if found is not None:
            task = get_task(name)
            again = task.read(
                found.instance.family, found.instance.content, num_qubits=found.instance.num_qubits
            )
            assert again == found.instance
