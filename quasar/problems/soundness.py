"""Whether the ground states of an instance are exactly the right answers.

The one quality guard: generated problems pass it before they become examples.
"""

import json
import math
from typing import Any

import numpy as np

from quasar.problems import decoder_for
from quasar.problems.base import ProblemInstance


def check_sound(instance: ProblemInstance, *, complete: bool = True) -> str | None:
    """None where the ground states are exactly the optimal answers, else what is wrong.

    Every ground state must decode to a feasible answer with the exact classical optimum, and every
    such answer must be that of a ground state. Bitstrings may be redundant (several for one
    answer). Without `complete` optimal answers may be missing from the ground states, as with the
    published surrogates; none may be wrong. Enumerates the basis states; an instance without a
    decoder is not sound.
    """
    problem = decoder_for(instance)
    if problem is None:
        return "no decoder for this Hamiltonian"
    graph, attributes = instance.graph, instance.attributes
    optimum = problem.optimum(graph, attributes)
    if math.isinf(optimum):
        return "no feasible answer"

    def answer_of(state: int) -> Any:
        return problem.decode(graph, attributes, instance.assignment(state))

    costs = problem.costs(graph, attributes)
    tolerance = problem.objective_tolerance(graph)
    found = set()
    for state in map(int, instance.spectrum.optimal):
        answer = answer_of(state)
        if costs[state] == np.inf:
            return f"a ground state is not feasible: {answer}"
        if abs(costs[state] - optimum) > tolerance:
            return f"a ground state is not optimal: {answer}"
        found.add(json.dumps(answer))
    if not complete:
        return None
    right = np.flatnonzero(np.abs(costs - optimum) <= tolerance)
    for state in map(int, np.setdiff1d(right, instance.spectrum.optimal)):
        answer = answer_of(state)
        if json.dumps(answer) not in found:
            return f"an optimal answer is no ground state: {answer}"
    return None
