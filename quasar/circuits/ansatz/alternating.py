"""Reading QAOA circuits: their layers, and the angles γ and β behind the printed ones.

Takes a `Circuit`; gives its layers where it has the layout of `quasar.circuits.ansatz.qaoa` (terms
and mixer rotations in any order, terms possibly left out), and fits the parameters of QAOA and of
multi-angle QAOA to them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from typing import NamedTuple

from quasar.circuits.ansatz.qaoa import emitted_angle
from quasar.circuits.circuit import Circuit, Gate
from quasar.problems.hamiltonian import IsingHamiltonian

_PERIOD = 2 * math.pi
# Periods of the slowest term in which a wrapped γ is looked for; a tuned one is in the first.
_MAX_TURNS = 16
_SMALLEST = 1e-9  # a coefficient below this part of the largest one says nothing about γ
_ZERO = 1e-100  # nor does one below this
_LARGEST = 1e9  # radians; the rounding of floats hides what a larger angle is modulo 2π
_FEWEST_DECIMALS = 1  # of emitted angles: 1 is 1.0, not anything from 0.5 to 1.5
_FLOAT_DUST = 1e-9  # radians; on top of the rounding of printed angles


@dataclass(frozen=True, slots=True)
class AlternatingLayer:
    """One cost layer and its mixer: printed rz angles, radians."""

    terms: dict[frozenset[int], float] = field(default_factory=dict)  # wires -> angle of ∏Z
    ladders: dict[frozenset[int], tuple[int, ...]] = field(default_factory=dict)  # wires as printed
    mixer: dict[int, float] = field(default_factory=dict)  # qubit -> angle of X
    places: dict[frozenset[int], list[int]] = field(default_factory=dict)  # wires -> gates of rz


class Observed(NamedTuple):
    """A term's coefficient and its printed angle (radians)."""

    coefficient: float
    angle: float


def starts_uniform(circuit: Circuit) -> bool:
    """Whether the first gates are `h` on every qubit, in any order."""
    n = circuit.num_qubits
    return {(g.name, g.qubits) for g in circuit.gates[:n]} == {("h", (q,)) for q in range(n)}


def read_layers(circuit: Circuit) -> list[AlternatingLayer] | None:
    """The layers after the first `h` on every qubit; None for another layout."""
    if not starts_uniform(circuit):
        return None
    n, gates = circuit.num_qubits, circuit.gates
    layers, place = [], n
    while place < len(gates):
        layer = AlternatingLayer()
        while place < len(gates) and gates[place].name not in ("h", "rx"):
            wires = _ladder_at(gates, place)
            if wires is None:
                return None
            key = frozenset(wires)
            turn = place + len(wires) - 1
            angle = gates[turn].params[0]
            layer.terms[key] = layer.terms.get(key, 0.0) + angle
            layer.ladders.setdefault(key, wires)
            layer.places.setdefault(key, []).append(turn)
            place += 2 * len(wires) - 1
        for _ in range(n):
            turned = _mixer_at(gates, place)
            if turned is None:
                return None
            qubit, angle, length = turned
            layer.mixer[qubit] = angle
            place += length
        if len(layer.mixer) != n:
            return None
        layers.append(layer)
    return layers or None


def _mixer_at(gates: Sequence[Gate], place: int) -> tuple[int, float, int] | None:
    """(qubit, angle, number of gates) of the rotation about X that starts here: h, rz, h or rx."""
    if place < len(gates) and gates[place].name == "rx":
        return gates[place].qubits[0], gates[place].params[0], 1
    three = gates[place : place + 3]
    if [gate.name for gate in three] != ["h", "rz", "h"] or len({g.qubits for g in three}) != 1:
        return None
    return three[0].qubits[0], three[1].params[0], 3


def _ladder_at(gates: Sequence[Gate], place: int) -> tuple[int, ...] | None:
    """Wires w_0, w_1, … of the term that starts here: cx from the last to w_0, rz, and back."""
    top = place
    while top < len(gates) and gates[top].name == "cx":
        top += 1
    if top == len(gates) or gates[top].name != "rz":
        return None
    ladder = [gate.qubits for gate in gates[place:top]]
    wires = [*gates[top].qubits, *(control for control, _ in reversed(ladder))]
    targets = [target for _, target in reversed(ladder)]
    undone = [gate.qubits for gate in gates[top + 1 : top + 1 + len(ladder)] if gate.name == "cx"]
    if targets != wires[:-1] or undone != ladder[::-1] or len(set(wires)) != len(wires):
        return None
    return tuple(wires)


def implied_hamiltonian(
    num_qubits: int, layers: Sequence[AlternatingLayer], *, unit: AlternatingLayer | None
) -> IsingHamiltonian:
    """The terms of all layers; coefficients such that γ = 1 in the layer `unit`, without one 1."""
    ladders: dict[frozenset[int], tuple[int, ...]] = {}
    for layer in layers:
        ladders |= {key: wires for key, wires in layer.ladders.items() if key not in ladders}
    return IsingHamiltonian(
        num_qubits,
        tuple(
            (1.0 if unit is None else unit.terms.get(key, 0.0) / 2, wires)
            for key, wires in ladders.items()
        ),
    )


def fit_qaoa(
    layers: Sequence[AlternatingLayer],
    hamiltonian: IsingHamiltonian,
    *,
    decimals: int,
    roundings: int,
) -> tuple[float, ...] | None:
    """(γ_1…γ_p, β_1…β_p); None where no γ gives a layer's angles, or a mixer has several angles.

    decimals: printed places of the angles; roundings: half units in the last of them by which an
    angle may differ from 2γc.
    """
    coefficients: dict[frozenset[int], float] = {}
    for coefficient, wires in hamiltonian.terms:
        key = frozenset(wires)
        coefficients[key] = coefficients.get(key, 0.0) + coefficient
    repeats = max(1, len(hamiltonian.terms) - len(coefficients) + 1)
    tolerance = roundings * repeats * 0.5 * 10.0**-decimals + _FLOAT_DUST
    gammas, betas = [], []
    for layer in layers:
        observed = [Observed(c, layer.terms.get(key, 0.0)) for key, c in coefficients.items()]
        gamma = _fit_gamma(observed, tolerance, decimals)
        if gamma is None or len(set(layer.mixer.values())) != 1:
            return None
        gammas.append(gamma)
        betas.append(layer.mixer[0] / 2)
    return (*gammas, *betas)


def fit_multi_angle(
    layers: Sequence[AlternatingLayer], hamiltonian: IsingHamiltonian
) -> tuple[float, ...] | None:
    """γ of each term with a coefficient, then β of each qubit, layer by layer.

    None where two terms act on the same wires, a term without coefficient has an angle, or a γ is
    beyond the range of floats.
    """
    terms = [(c, frozenset(wires)) for c, wires in hamiltonian.interactions()]
    if len({key for _, key in terms}) != len(terms):
        return None
    parameters: list[float] = []
    for layer in layers:
        idle = layer.terms.keys() - {key for _, key in terms}
        if any(layer.terms[key] != 0.0 for key in idle):
            return None
        parameters += [layer.terms.get(key, 0.0) / (2 * c) for c, key in terms]
        parameters += [layer.mixer[q] / 2 for q in range(hamiltonian.num_qubits)]
    return tuple(parameters) if all(map(math.isfinite, parameters)) else None


def printed_decimals(circuit: Circuit) -> int:
    """Decimals that tell all angles as they are, from 1 to 17."""
    exponents = [int(Decimal(repr(angle)).as_tuple().exponent) for angle in circuit.parameters]
    return min(17, max(_FEWEST_DECIMALS, -min((0, *exponents))))


def _fit_gamma(observed: list[Observed], tolerance: float, decimals: int) -> float | None:
    """A γ with |2γc − angle| ≤ tolerance modulo 2π for every term; None where there is none.

    As printed first, then modulo 2π. Each term leaves an interval of γ. Slow terms go first: they
    leave so few γ that the number of turns of the next one is known.
    """
    if any(abs(o.angle) > _LARGEST for o in observed):
        return None
    floor = max(_ZERO, _SMALLEST * max((abs(c) for c, _ in observed), default=0.0))
    telling = sorted((o for o in observed if abs(o.coefficient) > floor), key=lambda o: abs(o[0]))
    idle = [o.angle for o in observed if abs(o.coefficient) <= floor]
    if any(abs(math.remainder(angle, _PERIOD)) > tolerance for angle in idle):
        return None
    if not telling:
        return 0.0
    low, high = -math.inf, math.inf
    for term in telling:
        low, high = _narrowed(low, high, term, tolerance, turns=0)
    if low <= high:
        return _simplest(low, high, telling, decimals, forms=(False, True))
    for k in range(1 + 2 * _MAX_TURNS):  # 0, 1, −1, 2, −2, …
        low, high = _narrowed(
            -math.inf, math.inf, telling[0], tolerance, turns=(k + 1) // 2 * (1 if k % 2 else -1)
        )
        for term in telling[1:]:
            middle = (low + high) * term.coefficient  # 2·γ·c at the centre
            turns = round((middle - term.angle) / _PERIOD)
            low, high = _narrowed(low, high, term, tolerance, turns=turns)
            if low > high:
                break
        else:
            return _simplest(low, high, telling, decimals, forms=(True,))
    return None


def _narrowed(
    low: float, high: float, term: Observed, tolerance: float, *, turns: int
) -> tuple[float, float]:
    """The part of [low, high] in which 2γc is within the tolerance of angle + 2π·turns."""
    angle, scale = term.angle + turns * _PERIOD, 2 * term.coefficient
    ends = sorted(((angle - tolerance) / scale, (angle + tolerance) / scale))
    return max(low, ends[0]), min(high, ends[1])


def _simplest(
    low: float, high: float, observed: list[Observed], decimals: int, *, forms: Sequence[bool]
) -> float:
    """The shortest decimal in [low, high] that prints these very angles; else the centre.

    forms: whether the angles may have been printed as they are (False), canonically (True).
    One whose angles are clear of a tie of rounding is preferred: it prints them in every form.
    """
    clear = 0.5 * 10.0**-decimals - _FLOAT_DUST
    centre = (low + high) / 2
    shortest = [round(centre, places) for places in range(decimals + 12)]
    shortest = [gamma for gamma in shortest if low <= gamma <= high]
    for gamma in shortest:
        if all(abs(math.remainder(2 * gamma * c - a, _PERIOD)) < clear for c, a in observed):
            return gamma
    for gamma, canonical in product(shortest, forms):
        if all(
            emitted_angle(2 * gamma * c, decimals=decimals, canonical=canonical) == a
            for c, a in observed
        ):
            return gamma
    return centre
