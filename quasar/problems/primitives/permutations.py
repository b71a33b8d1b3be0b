"""What the primitives share whose answer gives each item one place and each place one item.

One variable (item, place) each: x = 1 where the item has that place. Published polynomials may
have further variables that no answer reads.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from quasar.problems.base import Graph, GraphProblem
from quasar.problems.graphs import Node
from quasar.problems.polynomial import BinaryPolynomial

Pair = tuple[Node, Node]  # (item, place)


class PermutationProblem(GraphProblem):
    """A problem on a square grid of items and places."""

    @abstractmethod
    def items(self, graph: Graph, attributes: Mapping[str, Any]) -> Sequence[Node]:
        """What is placed."""

    @abstractmethod
    def places(self, graph: Graph, attributes: Mapping[str, Any]) -> Sequence[Node]:
        """The places, as many as items."""

    @abstractmethod
    def answer(self, graph: Graph, attributes: Mapping[str, Any], placed: list[Node | None]) -> Any:
        """The answer for the item at each place (in `places` order); None: none or several."""

    def unread_pairs(self, graph: Graph, attributes: Mapping[str, Any]) -> Sequence[Pair]:
        """Variables of the polynomial outside the grid; none unless overridden."""
        return ()

    def qubit_of(self, graph: Graph, attributes: Mapping[str, Any]) -> dict[Pair, int]:
        """(item, place) -> qubit."""
        places = self.places(graph, attributes)
        grid = [(item, place) for item in self.items(graph, attributes) for place in places]
        ordered = self.in_order([*grid, *self.unread_pairs(graph, attributes)])
        return {pair: q for q, pair in enumerate(ordered)}

    def variables(self, graph: Graph, attributes: Mapping[str, Any]) -> list[str]:
        """E.g. "(0, 2)" for item 0 at place 2."""
        return [str(pair) for pair in self.qubit_of(graph, attributes)]

    def one_place_each(self, graph: Graph, attributes: Mapping[str, Any]) -> BinaryPolynomial:
        """Σ_items (Σ_places x − 1)² + Σ_places (Σ_items x − 1)²."""
        qubit = self.qubit_of(graph, attributes)
        items, places = self.items(graph, attributes), self.places(graph, attributes)
        polynomial = BinaryPolynomial(len(qubit))
        for item in items:
            polynomial.add_squared([(1.0, qubit[item, place]) for place in places], -1.0, 1.0)
        for place in places:
            polynomial.add_squared([(1.0, qubit[item, place]) for item in items], -1.0, 1.0)
        return polynomial

    def decode(self, graph: Graph, attributes: Mapping[str, Any], assignment: Sequence[int]) -> Any:
        qubit, items = self.qubit_of(graph, attributes), self.items(graph, attributes)
        placed: list[Node | None] = []
        for place in self.places(graph, attributes):
            here = [item for item in items if assignment[qubit[item, place]]]
            placed.append(here[0] if len(here) == 1 else None)
        # An item at two places leaves no answer there, as two items at one place do.
        return self.answer(
            graph, attributes, [item if placed.count(item) == 1 else None for item in placed]
        )

    def feasible_states(self, graph: Graph, attributes: Mapping[str, Any]) -> np.ndarray:
        """Tries the permutations, not the bitstrings; (2**n,) bool."""
        qubit = self.qubit_of(graph, attributes)
        places = self.places(graph, attributes)
        grid = sum(1 << q for (_, place), q in qubit.items() if place in places)
        states = np.arange(1 << len(qubit)) & grid
        feasible = np.zeros(states.shape, dtype=bool)
        for placed in permutations(self.items(graph, attributes)):
            if self.is_feasible(graph, attributes, self.answer(graph, attributes, list(placed))):
                chosen = sum(1 << qubit[pair] for pair in zip(placed, places, strict=True))
                feasible |= states == grid & ~chosen
        return feasible

    def optimum(self, graph: Graph, attributes: Mapping[str, Any]) -> float:
        """Best of all feasible permutations; infinite where there is none."""
        answers = (
            self.answer(graph, attributes, list(placed))
            for placed in permutations(self.items(graph, attributes))
        )
        return min(
            (
                self.objective(graph, attributes, answer)
                for answer in answers
                if self.is_feasible(graph, attributes, answer)
            ),
            default=float("inf"),
        )
