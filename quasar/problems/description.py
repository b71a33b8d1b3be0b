"""A primitive told to its user: question, formula, answer, attributes, sizes, a small example."""

import inspect
import sys
from dataclasses import asdict
from typing import Any

import numpy as np

from quasar.problems import get_problem

MAX_QUBITS = 16  # of the sizes that are listed
EXAMPLE_SEED = 0
EXAMPLE_QUBITS = 6  # at most, where the primitive has instances so small


def describe(name: str) -> dict[str, Any]:
    """Plain JSON data; the formula and the answer are the docstrings of module and class.

    Raises ProblemError for an unknown primitive.
    """
    problem = get_problem(name)
    sizes = problem.possible_qubits(MAX_QUBITS)
    size = max((n for n in sizes if n <= EXAMPLE_QUBITS), default=sizes[0])
    graph, attributes = problem.generate(np.random.default_rng(EXAMPLE_SEED), size)
    return {
        "name": problem.name,
        "summary": problem.summary,
        "attributes": {name: asdict(value) for name, value in problem.attributes.items()},
        "answer_form": problem.answer_form,
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
