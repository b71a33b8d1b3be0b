"""What a person is shown of a circuit: its gates in columns, its outcomes beside the optimum.

Takes a circuit and, of a graph problem, its readout and the problem's facts; gives a `Drawing` of
bounded size. Part of no grade, and made only where it is asked for.
"""

from quasar.circuits.circuit import Circuit
from quasar.verification.facts import ProblemFacts
from quasar.verification.readout import Readout
from quasar.verification.report import Drawing, DrawnGate
from quasar.verification.stages.distribution import to_outcome

MAX_DRAWN_GATES = 400
MAX_DRAWN_OUTCOMES = 16
_SMALLEST_DRAWN = 1e-6  # probability of an outcome


def draw_circuit(circuit: Circuit, readout: Readout, facts: ProblemFacts) -> Drawing:
    """The drawing of a circuit on the problem's qubits."""
    listed = [
        (state, probability)
        for state, probability in readout.most_probable(MAX_DRAWN_OUTCOMES)
        if probability > _SMALLEST_DRAWN
    ]
    return Drawing(
        variables=facts.problem.variables,
        gates=_in_columns(circuit),
        omitted_gates=max(0, len(circuit.gates) - MAX_DRAWN_GATES),
        outcomes=tuple(to_outcome(*outcome, facts) for outcome in listed),
        other_probability=max(0.0, 1.0 - sum(probability for _, probability in listed)),
        optimum=to_outcome(*readout.likeliest(facts.extremes.optimal), facts),
    )


def draw_gates(circuit: Circuit) -> Drawing:
    """The gates alone: of a circuit whose outcomes are no answers."""
    return Drawing(
        variables=(),
        gates=_in_columns(circuit),
        omitted_gates=max(0, len(circuit.gates) - MAX_DRAWN_GATES),
    )


def _in_columns(circuit: Circuit) -> tuple[DrawnGate, ...]:
    """The first gates, each as far left as the wires that it crosses are free."""
    free = [0] * circuit.num_qubits  # first free column of each wire
    drawn = []
    for gate in circuit.gates[:MAX_DRAWN_GATES]:
        crossed = range(min(gate.qubits), max(gate.qubits) + 1)
        column = max(free[q] for q in crossed)
        for q in crossed:
            free[q] = column + 1
        drawn.append(DrawnGate(gate.name, gate.qubits, gate.params, column))
    return tuple(drawn)
