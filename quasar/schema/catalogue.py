"""What an agent may ask about: the problems there are, and one problem as the circuit sees it.

Takes names and questions; gives plain answers of the tool's schema.
"""

from functools import cache
from typing import Any

from pydantic import BaseModel, Field

from quasar.datasets.prompts import ENCODING
from quasar.problems import get_problem, problem_names
from quasar.problems.base import AnswerForm, Attribute
from quasar.problems.description import describe
from quasar.schema.verify import Problem, Question, to_problem

MAX_TERMS = 2000


class ListedProblem(BaseModel):
    """One primitive."""

    primitive: str
    summary: str
    attributes: dict[str, Attribute] = Field(description="the attributes that it needs, by name")
    answer_form: AnswerForm = Field(description="what an answer is made of")
    variable: str = Field(description="what the name of a binary variable says")
    qubits: list[int] = Field(description="numbers of qubits that its instances have")
    example: Problem = Field(description="a small instance, as a request states it")


class ProblemList(BaseModel):
    """The primitives that can be built and decoded."""

    problems: list[ListedProblem]


class Term(BaseModel):
    """One term c·∏Z of the cost Hamiltonian."""

    coefficient: float
    wires: tuple[int, ...]


class DescribedProblem(BaseModel):
    """A problem as the circuit sees it."""

    primitive: str
    summary: str | None = Field(description="the question; null for an unknown primitive")
    num_qubits: int
    encoding: str = Field(description="what a measured qubit says")
    variables: list[str] = Field(
        description="the variable of each qubit, from qubit 0; empty where nothing is decoded"
    )
    terms: list[Term] = Field(
        description=f"the cost Hamiltonian, to be minimised; at most {MAX_TERMS} terms are shown"
    )
    num_terms: int
    attributes: dict[str, Any]


@cache
def list_problems() -> ProblemList:
    """Every primitive with its question and a small example."""
    return ProblemList(problems=[_listed(name) for name in problem_names()])


def describe_problem(question: Question, *, max_qubits: int) -> DescribedProblem:
    """Encoding, qubit order and Hamiltonian of one problem. Raises ProblemError or InputError."""
    problem = to_problem(question, max_qubits=max_qubits)
    terms = list(problem.hamiltonian.interactions())
    known = problem.primitive in problem_names()
    return DescribedProblem(
        primitive=problem.primitive,
        summary=get_problem(problem.primitive).summary if known else None,
        num_qubits=problem.num_qubits,
        encoding=ENCODING.strip(),
        variables=list(problem.variables),
        terms=[Term(coefficient=c, wires=wires) for c, wires in terms[:MAX_TERMS]],
        num_terms=len(terms),
        attributes=dict(problem.attributes),
    )


def _listed(name: str) -> ListedProblem:
    shown = describe(name)
    graph, attributes = shown["example"]["graph"], shown["example"]["attributes"]
    return ListedProblem(
        primitive=name,
        summary=shown["summary"],
        attributes=shown["attributes"],
        answer_form=shown["answer_form"],
        variable=shown["variable"],
        qubits=shown["qubits"],
        example=Problem(primitive=name, graph=graph, attributes=attributes),
    )
