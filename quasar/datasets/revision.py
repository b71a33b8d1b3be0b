"""The second turn of compact prompts: what is said of a first answer, and what improves it.

Of an answer that prepares a basis state the observation names each qubit's bit and what argues
against it, the most first: half of what the other bit would gain, in units of the energies'
standard deviation. A first plan ends where no single bit gains. The second one begins with a qubit
of its choice, on the other side, and takes the rest by their fields as ever: where the first plan
went wrong, the qubit with the most against its bit is more often the cause than one at random.
Of QAOA the observation gives each angle with the
energy's slope, and the answer has other angles.

All of it is in the small tokenizer's pieces. No optimum is told.
"""

from collections.abc import Sequence

import numpy as np

from quasar.circuits.canonical import NormalisedTerm, as_printed, energy_scale
from quasar.circuits.circuit import format_angle
from quasar.datasets.plan import SMALL_FIELD, PartialAssignment
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation.statevector import alternating
from quasar.verification.report import VerificationReport

_LARGEST = 3.14  # number that is one piece
_LEVEL = 1e-9


def present_bits(report: VerificationReport | None) -> tuple[int, ...] | None:
    """What a circuit most probably measures, qubit 0 first; None of one that was not simulated."""
    found = None if report is None else report.distribution
    if found is None or not found.most_probable:
        return None
    # A binary variable is 1 where its qubit is measured 0.
    return tuple(1 - int(x) for x in found.most_probable[0].bitstring)


def assignment_text(terms: Sequence[NormalisedTerm], bits: Sequence[int]) -> str:
    """` q3=1 -0.2 q0=0 -1.4`: bits, and what argues against each, the most first."""
    present = PartialAssignment(terms, len(bits), bits=bits)
    return "".join(f" q{q}={bits[q]} {_number(present.argument(q))}" for q in by_argument(present))


def by_argument(present: PartialAssignment) -> list[int]:
    """The qubits, all decided, those first with the most against their bits."""
    return sorted(present.bits, key=lambda q: (-round(present.argument(q), 9), q))


def slopes_text(slopes: Sequence[tuple[str, float, float]]) -> str:
    """A line an angle, as programs define it, with the energy's slope behind: (name, angle, slope)
    each.
    """
    lines = [
        f"const float {name} = {format_angle(angle, 2)} {_number(slope)}"
        for name, angle, slope in slopes
    ]
    return "\n".join(lines)


def slopes_of(
    hamiltonian: IsingHamiltonian, gammas: Sequence[float], betas: Sequence[float]
) -> list[tuple[str, float, float]]:
    """As `slopes_text` takes them, of a canonical QAOA program at these angles as printed (γ in
    radians per standard deviation of the energies); what a verifier's diagnosis says of it.
    """
    scale = energy_scale(hamiltonian)
    phases, energies = as_printed(hamiltonian).energies / scale, hamiltonian.energies / scale
    mixers = np.repeat(np.asarray(betas, float)[:, None], hamiltonian.num_qubits, axis=1)
    _, by_phase, by_beta = alternating.value_and_gradient(
        np.exp(-1j * np.outer(gammas, phases)), mixers, energies
    )
    layers = zip(gammas, by_phase @ phases, betas, by_beta.sum(axis=1), strict=True)
    return [
        (f"{kind}{layer}", angle, float(slope))
        for layer, (gamma, of_gamma, beta, of_beta) in enumerate(layers, start=1)
        for kind, angle, slope in (("g", gamma, of_gamma), ("b", beta, of_beta))
    ]


def revision_text(
    terms: Sequence[NormalisedTerm], ansatz: str | None, report: VerificationReport
) -> str | None:
    """What is said of a first answer of this family; None where it has no such answer."""
    if not report.valid or ansatz is None:
        return None
    if ansatz == "qaoa":
        found = report.diagnosis and report.diagnosis.parameters
        if not found:
            return None
        return slopes_text([(slope.name, slope.value, slope.derivative) for slope in found])
    bits = present_bits(report)
    return None if bits is None else assignment_text(terms, bits)


def _number(value: float) -> str:
    """At most two decimals, three of a small one, within the numbers that are one piece."""
    value = min(_LARGEST, max(-_LARGEST, value))
    return format_angle(value, 3 if abs(value) < SMALL_FIELD else 2)


def restarted(
    terms: Sequence[NormalisedTerm], bits: Sequence[int], qubit: int
) -> tuple[list[int], list[int]]:
    """(bits of the first pass, bits at the end) of a plan that begins with the other bit of this
    qubit and keeps to its fields; 0 where they say nothing.
    """
    plan = PartialAssignment(terms, len(bits), (qubit,))
    first = [0] * len(bits)
    while (q := plan.next()) is not None:
        if plan.undecided:
            first[q] = 1 - int(bits[q]) if q == qubit else int(plan.field(q) > _LEVEL)
            plan.decide(q, first[q])
        else:
            plan.decide(q, 1 - plan.bits[q])
    return first, [plan.bits[q] for q in range(len(bits))]


def best_restart(terms: Sequence[NormalisedTerm], bits: Sequence[int]) -> int | None:
    """The qubit from which a plan ends at the least energy, of equal ones that with the most
    against its bit; None where none ends below these bits.
    """
    present = PartialAssignment(terms, len(bits), bits=bits)
    best, least = None, present.energy - _LEVEL
    for q in by_argument(present):
        _, ended = restarted(terms, bits, q)
        energy = PartialAssignment(terms, len(bits), bits=ended).energy
        if energy < least:
            best, least = q, energy - _LEVEL
    return best
