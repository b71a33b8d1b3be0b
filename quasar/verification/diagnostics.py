"""What a circuit's energy is lost on, and which way its angles should move.

Takes a circuit, its readout and the problem's facts; gives a `Diagnosis`, for the
model or the person who corrects the circuit. Part of no grade, and made only where it is asked for.
"""

from collections.abc import Callable, Iterable

import numpy as np

from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.canonical import energy_scale
from quasar.circuits.circuit import PUBLISHED_DECIMALS, Circuit
from quasar.problems.hamiltonian import Extremes
from quasar.simulation.statevector.exact import energy_and_gradient
from quasar.verification.facts import MAX_ENUMERATED_QUBITS, ProblemFacts
from quasar.verification.free_parameters import ProgramStyle, QaoaParameters
from quasar.verification.readout import Readout
from quasar.verification.report import AngleSlope, Diagnosis, ParameterSlope, ViolatedTerm

NUM_TERMS = 8
NUM_ANGLES = 16
# Before ranking, so that equal values keep a fixed order on every machine.
_RANK_DECIMALS = 9
# Slopes and excesses below this part of the spectrum's width (at least 1) are rounding.
_NOTHING = 1e-9
_PASSES = 3  # of the adjoint gradient over the gates: one forward, two vectors back


def make_diagnosis(
    circuit: Circuit, readout: Readout, facts: ProblemFacts, *, slopes: bool
) -> Diagnosis:
    """The diagnosis of a circuit on the problem's qubits.

    slopes: also differentiate the energy by the angles (see `reason_to_skip_slopes`). The nearest
    optimum is one of those that the facts list (`Extremes.optimal`).
    """
    hamiltonian, extremes = facts.problem.hamiltonian, facts.extremes
    means = readout.product_means()
    optimum = _nearest_optimum(means, extremes, facts.problem.num_qubits)
    return Diagnosis(
        nearest_optimum="".join(map(str, facts.problem.assignment(optimum))),
        violated_terms=_violated_terms(hamiltonian.interactions(), means, extremes, optimum),
        gradient=angle_slopes(circuit, facts) if slopes else None,
        parameters=parameter_slopes(circuit, facts) if slopes else None,
    )


def reason_to_skip_slopes(circuit: Circuit, *, max_updates: float) -> str | None:
    """Why the gradient is not worth its cost; None where it is.

    max_updates: row-amplitude updates that may be spent, as for the warm start.
    """
    if not circuit.parameters:
        return "the circuit has no parameters"
    updates = _PASSES * len(circuit.gates) * 2.0**circuit.num_qubits
    if circuit.num_qubits > MAX_ENUMERATED_QUBITS or updates > max_updates:
        return "the circuit is too large"
    return None


def angle_slopes(circuit: Circuit, facts: ProblemFacts) -> tuple[AngleSlope, ...]:
    """The steepest ∂E/∂θ (at most NUM_ANGLES), in program order; angles that do nothing left out.

    E = ⟨H⟩, exact, by the adjoint method (arXiv 2009.02823, algorithm 1).
    """
    spectrum = facts.spectrum
    _, gradient = energy_and_gradient(circuit, facts.scaled_energies)
    gradient *= spectrum.maximum - spectrum.minimum
    steepness = np.abs(np.round(gradient, _RANK_DECIMALS))
    chosen = np.argsort(-steepness, kind="stable")[:NUM_ANGLES]
    chosen = {int(k) for k in chosen if steepness[k] > _nothing(spectrum)}
    places = [(g, gate) for g, gate in enumerate(circuit.gates) for _ in gate.params]
    return tuple(
        AngleSlope(
            angle=k,
            gate=gate.name,
            gate_index=g,
            qubits=gate.qubits,
            value=circuit.parameters[k],
            derivative=float(gradient[k]),
            move="lower" if gradient[k] > 0 else "raise",
        )
        for k, (g, gate) in enumerate(places)
        if k in chosen
    )


def parameter_slopes(circuit: Circuit, facts: ProblemFacts) -> tuple[ParameterSlope, ...] | None:
    """∂E/∂γ and ∂E/∂β of each layer in turn, energies in their standard deviations; None where the
    circuit is not QAOA of the problem's Hamiltonian, or its spectrum is flat.
    """
    hamiltonian = facts.problem.hamiltonian
    found, scale = recognise(circuit, hamiltonian), energy_scale(hamiltonian)
    if found is None or found.family != "qaoa" or scale == 0.0:
        return None
    style = ProgramStyle(canonical=True, decimals=PUBLISHED_DECIMALS)
    free = QaoaParameters(circuit, found, facts, style)
    _, gradient = free.value_and_gradient(free.start)
    gradient *= (facts.spectrum.maximum - facts.spectrum.minimum) / scale
    p = found.layers
    return tuple(
        ParameterSlope(f"{kind}{layer + 1}", float(free.start[place]), float(gradient[place]))
        for layer in range(p)
        for kind, place in (("g", layer), ("b", p + layer))
    )


def _nothing(extremes: Extremes) -> float:
    return _NOTHING * max(1.0, extremes.maximum - extremes.minimum)


def _nearest_optimum(means: Callable[[int], float], extremes: Extremes, num_qubits: int) -> int:
    """The optimum at the least mean Hamming distance from what is measured; ties: least index."""
    distance = np.zeros(extremes.optimal.size)
    for q in range(num_qubits):
        z = 1.0 - 2.0 * (extremes.optimal >> q & 1)
        distance += 0.5 * (1.0 - means(1 << q) * z)
    return int(extremes.optimal[np.argmin(np.round(distance, _RANK_DECIMALS))])


def _violated_terms(
    terms: Iterable[tuple[float, tuple[int, ...]]],
    means: Callable[[int], float],
    extremes: Extremes,
    optimum: int,
) -> tuple[ViolatedTerm, ...]:
    """The terms above their value in the optimum, the costliest first."""
    found = []
    for coefficient, wires in terms:
        mask = sum(1 << q for q in wires)
        value = min(1.0, max(-1.0, means(mask)))
        optimal = -1 if (optimum & mask).bit_count() & 1 else 1
        excess = coefficient * (value - optimal)
        if excess > _nothing(extremes):
            found.append(ViolatedTerm(coefficient, wires, value, optimal, excess))
    found.sort(key=lambda term: -round(term.excess, _RANK_DECIMALS))  # stable: ties as printed
    return tuple(found[:NUM_TERMS])
