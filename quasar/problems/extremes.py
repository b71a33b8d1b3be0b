"""Extremes of a diagonal Hamiltonian whose 2**n energies are too many to keep.

Takes an `IsingHamiltonian`; gives its exact `Extremes`: least and largest energy, the number of
ground states and some of them. Branch and bound over the spins (Land and Doig, Econometrica 28,
497, 1960): spins are fixed one after another, the strongest first; a branch is dropped where not
even the best signs of what is left reach an energy that is still of interest, and the last spins
are enumerated in one block. Memory is that of a block, time at worst that of all 2**n energies.
"""

import numpy as np
from numba import njit

from quasar.problems.hamiltonian import Extremes, IsingHamiltonian
from quasar.problems.walsh import walsh_hadamard

BLOCK_QUBITS = 12  # a block of energies stays in the first-level cache
MAX_LISTED = 4096  # ground states that are kept
_STARTS = 64  # of the local search that gives the first bounds

_jit = njit(cache=True, nogil=True)


def find_extremes(hamiltonian: IsingHamiltonian) -> Extremes:
    """The exact extremes; `optimal` has all ground states, or the first MAX_LISTED that are met.

    Measured on one core at 24 and 30 qubits: 3-regular MaxCut 3 and 7 ms, dense Gaussian couplings
    0.03 and 0.3 s, number partitioning, where little can be dropped, 0.1 and 5 s.
    """
    n = hamiltonian.num_qubits
    terms = list(hamiltonian.interactions())
    strength = np.zeros(n)
    for coefficient, wires in terms:
        strength[list(wires)] += abs(coefficient)
    qubit_at = np.argsort(strength, kind="stable")  # place -> qubit, the strongest on top
    place_of = np.argsort(qubit_at)
    masks = np.array([sum(1 << int(place_of[q]) for q in wires) for _, wires in terms], np.int64)
    coefficients = np.array([coefficient for coefficient, _ in terms])
    block = min(n, BLOCK_QUBITS)
    tables = _tables(masks, coefficients, n, n - block)
    bounds = _local_search(masks, coefficients, n)
    tolerance = hamiltonian.tolerance
    low, high, count, found = _search(n, block, *tables, *bounds, tolerance, MAX_LISTED)
    optimal = np.zeros(found.size, np.int64)
    for place, qubit in enumerate(qubit_at):
        optimal |= (found >> place & 1) << int(qubit)
    return Extremes(
        num_qubits=n,
        minimum=float(low),
        maximum=float(high),
        mean=0.0,
        num_optimal=int(count),
        optimal=np.sort(optimal),
        tolerance=tolerance,
    )


def _tables(
    masks: np.ndarray, coefficients: np.ndarray, num_qubits: int, depth: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The terms for each number of fixed spins, those on equal free spins side by side.

    (free spins of a term, its fixed spins, its coefficient), each (depth + 1, terms).
    """
    free, fixed, weights = [], [], []
    for k in range(depth + 1):
        low = masks & ((1 << num_qubits - k) - 1)
        order = np.argsort(low, kind="stable")
        free.append(low[order])
        fixed.append((masks ^ low)[order])
        weights.append(coefficients[order])
    return np.stack(free), np.stack(fixed), np.stack(weights)


def _local_search(
    masks: np.ndarray, coefficients: np.ndarray, num_qubits: int
) -> tuple[float, float]:
    """Energies (low, high) that occur, near the extremes: single flips from fixed random starts."""
    starts = np.random.default_rng(0).integers(0, 1 << num_qubits, _STARTS)
    low = _climb(masks, coefficients, num_qubits, starts)
    return low, -_climb(masks, -coefficients, num_qubits, starts)


@_jit
def _odd(bits):
    """Parity of the number of ones."""
    bits ^= bits >> 32
    bits ^= bits >> 16
    bits ^= bits >> 8
    bits ^= bits >> 4
    bits ^= bits >> 2
    bits ^= bits >> 1
    return bits & 1


@_jit
def _energy(masks, coefficients, state):
    total = 0.0
    for k in range(masks.size):
        total += -coefficients[k] if _odd(masks[k] & state) else coefficients[k]
    return total


@_jit
def _climb(masks, coefficients, num_qubits, starts):
    """Least energy that flipping single spins downhill reaches from any of the starts."""
    best = np.inf
    for state in starts:
        energy = _energy(masks, coefficients, state)
        q = since = 0
        while since < num_qubits:
            other = _energy(masks, coefficients, state ^ (1 << q))
            since += 1
            if other < energy:
                state, energy, since = state ^ (1 << q), other, 0
            q = (q + 1) % num_qubits
        best = min(best, energy)
    return best


@_jit
def _reach(free, fixed, weights, state):
    """What the fixed spins decide, and how far the terms on free spins may move it."""
    decided, reach, k = 0.0, 0.0, 0
    while k < free.size:
        mask, total = free[k], 0.0
        while k < free.size and free[k] == mask:
            total += -weights[k] if _odd(fixed[k] & state) else weights[k]
            k += 1
        if mask == 0:
            decided = total
        else:
            reach += abs(total)
    return decided, reach


@_jit
def _search(num_qubits, block, free, fixed, weights, low, high, tolerance, max_listed):
    """(least energy, largest, number of ground states, at most max_listed of them).

    low, high: energies that occur.
    """
    depth = num_qubits - block
    energies = np.empty(1 << block)
    found = np.empty(max_listed, np.int64)
    count = listed = 0
    states = np.empty(2 * depth + 2, np.int64)
    depths = np.empty(2 * depth + 2, np.int64)
    states[0] = depths[0] = 0
    waiting = 1
    while waiting:
        waiting -= 1
        state, level = states[waiting], depths[waiting]
        decided, reach = _reach(free[level], fixed[level], weights[level], state)
        if decided - reach > low + tolerance and decided + reach < high:
            continue
        if level < depth:
            bit = np.int64(1) << (num_qubits - level - 1)
            for child in (state | bit, state):
                states[waiting], depths[waiting] = child, level + 1
                waiting += 1
            continue
        energies[:] = 0.0
        for k in range(free.shape[1]):
            odd = _odd(fixed[level, k] & state)
            energies[free[level, k]] += -weights[level, k] if odd else weights[level, k]
        walsh_hadamard(energies)
        lowest = energies.min()
        high = max(high, energies.max())
        if lowest < low - tolerance:
            low, count, listed = lowest, 0, 0
        low = min(low, lowest)
        if lowest > low + tolerance:
            continue
        for i in range(energies.size):
            if energies[i] <= low + tolerance:
                count += 1
                if listed < max_listed:
                    found[listed] = state | i
                    listed += 1
    return low, high, count, found[:listed]
