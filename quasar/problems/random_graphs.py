"""Random graphs that several generators draw."""

from itertools import pairwise

import numpy as np

from quasar.problems.graphs import components

DENSITY_RANGE = (0.2, 0.5)  # published generator of covers


def connected_pairs(rng: np.random.Generator, num_nodes: int) -> list[tuple[int, int]]:
    """Edges of a connected graph on 0…n−1: density uniform in 0.2…0.5, components joined by one."""
    density = rng.uniform(*DENSITY_RANGE)
    pairs = [(u, v) for u in range(num_nodes) for v in range(u + 1, num_nodes)]
    chosen = [pair for pair in pairs if rng.random() < density]
    for left, right in pairwise(components(num_nodes, chosen)):
        u, v = rng.choice(sorted(left)), rng.choice(sorted(right))
        chosen.append((int(min(u, v)), int(max(u, v))))
    return chosen
