"""Random graphs that several generators draw."""

from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np

from quasar.system.lazy import lazy_module

if TYPE_CHECKING:
    import networkx as nx
else:
    nx = lazy_module("networkx")

DENSITY_RANGE = (0.2, 0.5)  # published generator of covers


def connected_pairs(rng: np.random.Generator, num_nodes: int) -> list[tuple[int, int]]:
    """Edges of a connected graph on 0…n−1: density uniform in 0.2…0.5, components joined by one."""
    density = rng.uniform(*DENSITY_RANGE)
    pairs = combinations(range(num_nodes), 2)
    return join_components(rng, num_nodes, [pair for pair in pairs if rng.random() < density])


def random_connected_pairs(
    rng: np.random.Generator, num_nodes: int, num_edges: int
) -> list[tuple[int, int]]:
    """Edges (u < v) of a random connected graph on nodes 0…n−1: a tree, then pairs at random.

    num_edges must lie in n−1 … n(n−1)/2.
    """
    order = [int(v) for v in rng.permutation(num_nodes)]
    tree = [(order[int(rng.integers(i))], order[i]) for i in range(1, num_nodes)]
    chosen = {(min(pair), max(pair)) for pair in tree}
    others = [pair for pair in combinations(range(num_nodes), 2) if pair not in chosen]
    extra = rng.choice(len(others), size=num_edges - len(chosen), replace=False) if others else []
    return sorted(chosen | {others[i] for i in extra})


def join_components(
    rng: np.random.Generator, num_nodes: int, pairs: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The pairs and, between neighbouring components, one random pair each: connected."""
    joined = list(pairs)
    network = nx.empty_graph(num_nodes)
    network.add_edges_from(pairs)
    parts = sorted(nx.connected_components(network), key=min)
    for left, right in pairwise(parts):
        u, v = rng.choice(sorted(left)), rng.choice(sorted(right))
        joined.append((int(min(u, v)), int(max(u, v))))
    return joined


def is_connected(num_nodes: int, pairs: Iterable[tuple[int, int]]) -> bool:
    """Whether edges join all nodes 0…n−1 (at least one), in either direction."""
    network = nx.empty_graph(num_nodes)
    network.add_edges_from(pairs)
    return nx.is_connected(network)


def is_flow_network(num_nodes: int, pairs: Sequence[tuple[int, int]]) -> bool:
    """Whether directed edges join all nodes 0…n−1 and lead from node 0 to node n−1."""
    network = nx.empty_graph(num_nodes, create_using=nx.DiGraph)
    network.add_edges_from(pairs)
    return nx.is_weakly_connected(network) and nx.has_path(network, 0, num_nodes - 1)


def relabelled(
    rng: np.random.Generator, num_nodes: int, pairs: Iterable[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The same graph under a random permutation of its nodes, u < v in each pair.

    For generators that plant a solution: otherwise the labels would give it away.
    """
    new = [int(v) for v in rng.permutation(num_nodes)]
    return [(min(new[u], new[v]), max(new[u], new[v])) for u, v in pairs]
