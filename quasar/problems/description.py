"""A primitive told to its user: question, formula, answer, attributes, sizes, a small example."""

import inspect
import sys
from typing import Any

import numpy as np

from quasar.problems import get_problem

MAX_QUBITS = 16  # of the sizes that are listed
EXAMPLE_SEED = 0


def describe(name: str) -> dict[str, Any]:
    """Plain JSON data; the formula and the answer are the docstrings of module and class.

    Raises ProblemError for an unknown primitive.
    """
    problem = get_problem(name)
    sizes = problem.possible_qubits(MAX_QUBITS)
    graph, attributes = problem.generate(np.random.default_rng(EXAMPLE_SEED), sizes[0])
    return {
        "name": problem.name,
        "summary": problem.summary,
        "attributes": list(problem.attributes),
        "variable": problem.variable,
        "encodings": list(problem.encodings),
        "qubits": list(sizes),
        "formula": inspect.getdoc(sys.modules[type(problem).__module__]) or "",
        "answer": inspect.getdoc(type(problem)) or "",
        "example": {
            "graph": graph,
            "attributes": attributes,
            "variables": problem.variables(graph, attributes),
        },
    }
