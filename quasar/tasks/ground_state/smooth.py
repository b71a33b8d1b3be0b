"""Answers that a model can learn: layers of ry and cx whose angles follow the Hamiltonian smoothly.

The angles of a tuned circuit are one of many optima, and a descent from random angles finds another
one for each instance: their angles are no function of it. Here they are. The angles for one
Hamiltonian of the family, in the middle of its parameters, are found once; those for another are
followed along the straight line of coefficients between the two, descent by descent.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.problems.pauli import PauliSum
from quasar.simulation.eigensolver import ground_space
from quasar.simulation.statevector import exact
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import energy_and_gradient
from quasar.tasks.programs import real_layers, tuned

_STARTS, _STEPS = 24, 300
_STOPS = 6  # on the line
# Pulls angles to those of the middle where the energy hardly depends on them: they would be noise.
_ANCHOR = 1e-4  # of the sum of the coefficients' sizes, a square radian
_NEAR = 1e-3
MAX_LAYERS = 6
MAX_QUBITS = 8  # descents on more take seconds


def smooth_layers(
    hamiltonian: PauliSum, middle: PauliSum, is_good: Callable[[Circuit], bool], *, decimals: int
) -> tuple[int, tuple[float, ...]] | None:
    """(layers, their angles in (−π, π], rounded): the fewest whose circuit is good; None where no
    number of them is. middle: a Hamiltonian of the same family.
    """
    n = hamiltonian.num_qubits
    if n > MAX_QUBITS or not (hamiltonian.is_real and middle.is_real):
        return None
    for layers in range(1, MAX_LAYERS + 1):
        if layers * (n - 1) > 1 << n:
            break
        found = np.round(_wrapped(_followed(hamiltonian, middle, layers)), decimals) + 0.0
        angles = tuple(found.tolist())
        if is_good(real_layers(n, layers).with_parameters(angles)):
            return layers, angles
    return None


@lru_cache(maxsize=256)
def constant_layers(middle: PauliSum) -> Circuit | None:
    """The fewest layers that are within a thousandth of the middle's own lowest energy, measured
    from its mean, tuned there; None where no number of them is.
    """
    n = middle.num_qubits
    if n > MAX_QUBITS or not middle.is_real:
        return None
    lowest = ground_space(middle).energy
    room = middle.constant - lowest
    for layers in range(1, MAX_LAYERS + 1):
        circuit = real_layers(n, layers).with_parameters(_start(middle, layers))
        state = exact.statevector(encode(circuit))
        if exact.expectation_value(state, middle) - lowest <= _NEAR * room:
            return circuit
    return None


def _followed(hamiltonian: PauliSum, middle: PauliSum, layers: int) -> np.ndarray:
    from scipy.optimize import minimize  # a third of a second that commands need not wait for

    start, ends = np.array(_start(middle, layers)), (_normalised(middle), _normalised(hamiltonian))
    angles = start
    encoded = encode(real_layers(hamiltonian.num_qubits, layers))
    for stop in range(1, _STOPS + 1):
        share = stop / _STOPS
        terms = [
            (weight * c, word)
            for end, weight in zip(ends, (1.0 - share, share), strict=True)
            for c, word in end
        ]
        here = PauliSum.of(hamiltonian.num_qubits, terms)

        def anchored(x: np.ndarray, here: PauliSum = here) -> tuple[float, np.ndarray]:
            energy, gradient = energy_and_gradient(encoded, here, x)
            away = x - start
            return energy + _ANCHOR / 2 * float(away @ away), gradient + _ANCHOR * away

        angles = minimize(
            anchored,
            angles,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _STEPS},
        ).x
    return angles


@lru_cache(maxsize=256)
def _start(middle: PauliSum, layers: int) -> tuple[float, ...]:
    """The best angles for the middle that seeded descents find."""
    form = real_layers(middle.num_qubits, layers)
    found = tuned(form, middle, np.random.default_rng(0), starts=_STARTS, steps=_STEPS)[1]
    return found.parameters


def _normalised(hamiltonian: PauliSum) -> list[tuple[float, str]]:
    """Terms but the identity, in units of the sum of their sizes: scale and shift turn no angle."""
    terms = [(t.coefficient, t.word) for t in hamiltonian.terms if t.word != "I"]
    total = sum(abs(c) for c, _ in terms)
    return [(c / total, word) for c, word in terms]


def _wrapped(angles: np.ndarray) -> np.ndarray:
    """Rotations of a qubit that differ by 2π differ by a sign, which nothing sees."""
    return angles - 2 * np.pi * np.ceil((angles - np.pi) / (2 * np.pi))
