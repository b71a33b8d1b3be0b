"""What a person is shown of a circuit: columns, bounds, outcomes beside the optimum."""

import pytest

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import VerificationConfig
from quasar.problems import build_instance
from quasar.verification.drawing import MAX_DRAWN_GATES, MAX_DRAWN_OUTCOMES
from quasar.verification.verifier import Verifier

VERIFIER = Verifier(VerificationConfig(max_qubits=24))


def path(nodes: int):
    edges = [{"source": v, "target": v + 1} for v in range(nodes - 1)]
    return build_instance(
        "vertex_cover", {"nodes": [{"id": v} for v in range(nodes)], "edges": edges}
    )


def draw(nodes: int, *gates: Gate):
    text = Circuit(nodes, gates).to_qasm()
    return VERIFIER.verify(path(nodes), text, draw=True)


def test_gates_of_a_column_do_not_cross_and_keep_their_order():
    gates = (
        Gate("h", (0,)),
        Gate("cx", (0, 3)),
        Gate("rx", (1,), (0.5,)),  # below the line of cx: not in its column
        Gate("h", (3,)),
        Gate("cz", (1, 2)),
    )
    drawing = draw(4, *gates).drawing
    assert [(gate.name, gate.qubits, gate.params) for gate in drawing.gates] == [
        (gate.name, gate.qubits, gate.params) for gate in gates
    ]
    assert [gate.column for gate in drawing.gates] == [0, 1, 2, 2, 3]
    assert drawing.variables == ("0", "1", "2", "3")
    assert drawing.omitted_gates == 0


def test_long_circuits_and_wide_distributions_are_cut():
    gates = [Gate("h", (q,)) for q in range(6)] + [Gate("rz", (0,), (0.1,))] * 500
    drawing = draw(6, *gates).drawing
    assert len(drawing.gates) == MAX_DRAWN_GATES
    assert drawing.omitted_gates == 506 - MAX_DRAWN_GATES
    assert len(drawing.outcomes) == MAX_DRAWN_OUTCOMES
    assert drawing.other_probability == pytest.approx(1 - MAX_DRAWN_OUTCOMES / 64)


@pytest.mark.parametrize("nodes", [3, 24])  # all probabilities; samples
def test_the_likeliest_optimum_is_told_also_where_it_is_never_measured(nodes):
    cover = "".join("01"[v % 2] for v in range(nodes))
    flips = [Gate("x", (v,)) for v in range(nodes) if cover[v] == "0"]
    found = draw(nodes, *flips).drawing
    assert [(o.bitstring, o.probability) for o in found.outcomes] == [(cover, pytest.approx(1.0))]
    assert found.optimum == found.outcomes[0]
    assert found.optimum.optimal
    missed = draw(nodes).drawing  # |0…0⟩: every node is in the cover
    assert [o.bitstring for o in missed.outcomes] == ["1" * nodes]
    assert (missed.optimum.optimal, missed.optimum.probability) == (True, 0.0)


def test_an_invalid_circuit_has_no_drawing():
    assert VERIFIER.verify(path(3), "no program", draw=True).drawing is None
    assert draw(3, Gate("h", (0,))).drawing is not None
    assert VERIFIER.verify(path(3), Circuit(3, ()).to_qasm()).drawing is None
