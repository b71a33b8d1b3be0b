"""Canonical programs: each parameter is named once, each coefficient is copied once.

The published style repeats a product of angle and coefficient for every term, and a ladder of gates
around it. The canonical style says the same with OpenQASM 3's own means: `const` parameters, one
gate definition for each order of a term and one for the cost layer, broadcast statements.
Coefficients are those of the Hamiltonian in units of the standard deviation of its energies, two
significant places by default, so that angles carry over between problems (arXiv 2201.11785) and a
program has 2p numbers of its own.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from quasar.circuits.circuit import Circuit, Gate, format_angle
from quasar.circuits.term_gates import definition
from quasar.problems.hamiltonian import IsingHamiltonian

COEFFICIENT_DECIMALS = 2
SMALL = 0.1  # coefficients below have one decimal more
MOST_COEFFICIENT_DECIMALS = 6  # that are recognised
CONVERTED_DECIMALS = 6  # of a converted program, so that a conversion costs no accuracy
HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
MEASURE_ALL = "c = measure q;"
_TURNS = {"pi": math.pi, "-pi": -math.pi, "pi/2": math.pi / 2, "-pi/2": -math.pi / 2}


@dataclass(frozen=True, slots=True)
class NormalisedTerm:
    """One term in units of the energies' standard deviation: its coefficient as printed."""

    text: str
    wires: tuple[int, ...]

    @property
    def coefficient(self) -> float:
        return float(self.text)


def energy_scale(hamiltonian: IsingHamiltonian) -> float:
    """Standard deviation of the energies over all bitstrings; 0 for a Hamiltonian without terms.

    Products of Z on different wires are orthogonal, so it is the root of the sum of the squared
    coefficients, at any number of qubits.
    """
    return math.hypot(*_merged(hamiltonian).values())  # squares of tiny ones are no zeros


def coefficient_text(coefficient: float, decimals: int | None = None) -> str:
    """A normalised coefficient as printed; decimals None: two, and three below 0.1."""
    if decimals is not None:
        return format_angle(coefficient, decimals)
    small = abs(coefficient) < SMALL
    return format_angle(coefficient, COEFFICIENT_DECIMALS + small)


def normalised_terms(
    hamiltonian: IsingHamiltonian, *, decimals: int | None = None
) -> list[NormalisedTerm]:
    """Terms of each set of wires, merged, short ones first, wires ascending; zeros left out.

    A coefficient that rounds to zero is left out too. decimals as `coefficient_text` has them.
    """
    scale = energy_scale(hamiltonian)
    if scale == 0.0:
        return []
    terms = sorted(_merged(hamiltonian).items(), key=lambda item: (len(item[0]), item[0]))
    printed = [NormalisedTerm(coefficient_text(c / scale, decimals), wires) for wires, c in terms]
    return [term for term in printed if term.text != "0"]


def as_printed(hamiltonian: IsingHamiltonian, *, decimals: int | None = None) -> IsingHamiltonian:
    """The Hamiltonian of a canonical program: merged and rounded, in the units of the given one."""
    scale = energy_scale(hamiltonian) or 1.0
    return IsingHamiltonian(
        hamiltonian.num_qubits,
        tuple(
            (float(coefficient_text(c / scale, decimals)) * scale, wires)
            for wires, c in _merged(hamiltonian).items()
        ),
    )


def qaoa_program(
    num_qubits: int,
    terms: Sequence[NormalisedTerm],
    gammas: Sequence[float],
    betas: Sequence[float],
    *,
    decimals: int = 2,
    comments: Iterable[str] = (),
) -> str:
    """QAOA in the canonical style; no newline at the end.

    gammas: radians per standard deviation; betas: radians; one of each a layer. comments: lines
    that stand before the constants. Raises ValueError where the numbers of angles differ.
    """
    lines = [f"// {comment}" for comment in comments]
    for layer, (gamma, beta) in enumerate(zip(gammas, betas, strict=True), start=1):
        lines.append(f"const float g{layer} = {_decimal(gamma, decimals)};")
        lines.append(f"const float b{layer} = {_decimal(beta, decimals)};")
    for order in sorted({len(term.wires) for term in terms} - {1}):
        lines.append(definition(order))
    wires = range(num_qubits)
    lines.append(f"gate cost(g) {', '.join(f'q{q}' for q in wires)} {{")
    for term in terms:
        name = "rz" if len(term.wires) == 1 else "z" * len(term.wires)
        lines.append(f"{name}(g*{term.text}) {', '.join(f'q{q}' for q in term.wires)};")
    lines += ["}", f"bit[{num_qubits}] c;", f"qubit[{num_qubits}] q;", "h q;"]
    for layer in range(1, len(gammas) + 1):
        lines += [f"cost(2*g{layer}) {_operands(wires)};", f"rx(2*b{layer}) q;"]
    return HEADER + "\n".join([*lines, MEASURE_ALL])


def gate_program(circuit: Circuit, *, decimals: int, comments: Iterable[str] = ()) -> str:
    """Any circuit, gate by gate, with what can be said at once said at once.

    A gate that follows itself on every qubit in ascending order, with one angle, becomes one
    statement on the register; the measurement is one statement. No newline at the end.
    """
    n = circuit.num_qubits
    lines = [f"// {comment}" for comment in comments]
    lines += [f"bit[{n}] c;", f"qubit[{n}] q;"]
    for head, gates in groupby(circuit.gates, key=lambda gate: _head(gate, decimals)):
        run = list(gates)
        while run:
            whole = [gate.qubits for gate in run[:n]] == [(q,) for q in range(n)]
            taken = n if whole and n > 1 else 1
            lines.append(f"{head} {'q' if taken == n > 1 else _operands(run[0].qubits)};")
            run = run[taken:]
    return HEADER + "\n".join([*lines, MEASURE_ALL])


def _merged(hamiltonian: IsingHamiltonian) -> dict[tuple[int, ...], float]:
    merged: dict[tuple[int, ...], float] = {}
    for coefficient, wires in hamiltonian.terms:
        key = tuple(sorted(wires))
        merged[key] = merged.get(key, 0.0) + coefficient
    return merged


def _decimal(value: float, decimals: int) -> str:
    """A float literal: `const float` takes no whole number without a point everywhere."""
    text = format_angle(value, decimals)
    return text if "." in text else f"{text}.0"


def _head(gate: Gate, decimals: int) -> str:
    angles = ", ".join(_angle(angle, decimals) for angle in gate.params)
    return f"{gate.name}({angles})" if gate.params else gate.name


def _angle(angle: float, decimals: int) -> str:
    """Half and quarter turns by name, exact where two decimals are not; else fixed point."""
    for text, value in _TURNS.items():
        if abs(angle - value) < 0.5 * 10.0**-decimals:
            return text
    return format_angle(angle, decimals)


def _operands(wires: Iterable[int]) -> str:
    return ", ".join(f"q[{q}]" for q in wires)
