"""Random Ising models and QUBOs: Hamiltonians of no problem in particular.

What a stranger's problem looks like once it is a polynomial: sparse and dense graphs, chains and
rings, fields or none, coefficients of one size, whole, Gaussian or of very different sizes, hard
constraints that outweigh an objective, and now and then terms of three and four qubits.
"""

from collections.abc import Callable

import networkx as nx
import numpy as np

from quasar.problems.hamiltonian import IsingHamiltonian

Terms = dict[tuple[int, ...], float]
_LARGEST_WEIGHT = 9


def random_ising(rng: np.random.Generator, num_qubits: int) -> IsingHamiltonian:
    """A Hamiltonian on `num_qubits` ≥ 2 qubits with at least one term."""
    terms: Terms = {}
    weight = _WEIGHTS[int(rng.integers(len(_WEIGHTS)))]
    for edge in _pairs(rng, num_qubits):
        terms[edge] = weight(rng)
    if rng.random() < 0.6:
        field, share = _WEIGHTS[int(rng.integers(len(_WEIGHTS)))], rng.uniform(0.2, 1.0)
        scale = rng.uniform(0.2, 2.0)
        for q in range(num_qubits):
            if rng.random() < share:
                terms[(q,)] = scale * field(rng)
    if num_qubits >= 3 and rng.random() < 0.15:
        _add_products(terms, rng, num_qubits, weight)
    if rng.random() < 0.25:
        _add_constraint(terms, rng, num_qubits)
    kept = [(float(c), wires) for wires, c in terms.items() if c != 0.0]
    return IsingHamiltonian(num_qubits, tuple(kept) or ((1.0, (0, 1)),))


def _pairs(rng: np.random.Generator, n: int) -> list[tuple[int, ...]]:
    """Edges of a random graph of one of several kinds."""
    kind, seed = int(rng.integers(6)), int(rng.integers(1 << 31))
    if kind == 0:
        graph = nx.complete_graph(n)
    elif kind == 1:
        graph = nx.cycle_graph(n)
    elif kind == 2:
        graph = nx.grid_2d_graph(2, n // 2)
        graph = nx.convert_node_labels_to_integers(graph)
    elif kind == 3 and n >= 4:
        degree = 3 if n % 2 == 0 else 2
        graph = nx.random_regular_graph(degree, n, seed=seed)
    else:
        graph = nx.gnp_random_graph(n, rng.uniform(0.15, 0.9), seed=seed)
    return [tuple(sorted(edge)) for edge in graph.edges]


def _add_products(
    terms: Terms, rng: np.random.Generator, n: int, weight: Callable[[np.random.Generator], float]
) -> None:
    for _ in range(int(rng.integers(1, 2 * n))):
        order = int(rng.integers(3, min(n, 5) + 1))
        wires = tuple(sorted(rng.choice(n, order, replace=False).tolist()))
        terms[wires] = weight(rng)


def _add_constraint(terms: Terms, rng: np.random.Generator, n: int) -> None:
    """A penalty for every wrong number of ones on a few qubits: (Σ x − k)² with x = (1 − Z)/2."""
    members = sorted(rng.choice(n, int(rng.integers(2, n + 1)), replace=False).tolist())
    wanted = int(rng.integers(0, len(members) + 1))
    penalty = rng.uniform(1.0, 4.0) * max((abs(c) for c in terms.values()), default=1.0)
    for place, a in enumerate(members):
        shift = penalty * (wanted - len(members) / 2)
        terms[(a,)] = terms.get((a,), 0.0) + shift
        for b in members[place + 1 :]:
            terms[(a, b)] = terms.get((a, b), 0.0) + penalty / 2


def _equal(rng: np.random.Generator) -> float:
    return 1.0


def _signs(rng: np.random.Generator) -> float:
    return float(rng.choice((-1.0, 1.0)))


def _whole(rng: np.random.Generator) -> float:
    return float(rng.integers(1, _LARGEST_WEIGHT + 1)) * (1.0 if rng.random() < 0.6 else -1.0)


def _gaussian(rng: np.random.Generator) -> float:
    return float(rng.normal())


def _spread(rng: np.random.Generator) -> float:
    """Sizes over two orders of magnitude."""
    return float(10.0 ** rng.uniform(-1.0, 1.0)) * _signs(rng)


_WEIGHTS = (_equal, _signs, _whole, _gaussian, _spread)
