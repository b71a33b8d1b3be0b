"""What an agent may ask about: the problems there are, and one problem as the circuit sees it.

Takes names and questions; gives plain answers of the tool's schema.
"""

from functools import cache
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, model_validator

from quasar.config.task_names import GRAPH_TASK, task_names
from quasar.datasets.prompts import ENCODING
from quasar.datasets.task_records import TaskRecord
from quasar.errors import InputError
from quasar.problems import get_problem, problem_names
from quasar.problems.base import AnswerForm, Attribute
from quasar.problems.description import describe
from quasar.schema.verify import Part, Problem, Question, to_problem
from quasar.schema.words.tasks import read_task
from quasar.tasks import get_task
from quasar.tasks.base import ContentField, Task
from quasar.tasks.words import AskedInstance

MAX_TERMS = 2000
_FEW_QUBITS = 3  # of an example that is drawn


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


class TaskPart(BaseModel):
    """A part of a task's reward."""

    meaning: str
    weight: float = Field(description="where nothing else is configured")


class FamilyForm(BaseModel):
    """How an instance of a family is stated."""

    fields: dict[str, ContentField] | None = Field(
        description="of the row's instance, by name (parameters.field lies in the object "
        "parameters); null: of a form of its own, as in the example"
    )
    example: dict[str, Any] = Field(
        description="a row; without n_qubits where the instance says it itself"
    )


class ListedTask(BaseModel):
    """One task other than graph problems."""

    task: str
    summary: str
    families: dict[str, str] = Field(description="each with one sentence")
    parts: dict[str, TaskPart] = Field(
        description="of the reward, each in [0, 1]; the best answer without skill has 0"
    )
    max_qubits: int
    tunable: bool = Field(description="the tool optimise makes angles of its answers better")
    forms: dict[str, FamilyForm] = Field(description="by family: how its instances are stated")


class TaskList(BaseModel):
    """The tasks that a row or words may ask for."""

    tasks: list[ListedTask]


class TaskQuestion(Part):
    """An instance of a task, stated in one of two ways."""

    row: dict[str, Any] | None = Field(
        default=None, description="task, family, n_qubits and instance, as a problem file has them"
    )
    text: str | None = Field(
        default=None,
        max_length=4000,
        description="or in words, e.g. prepare a GHZ state on five qubits",
    )

    @model_validator(mode="after")
    def _one_instance(self):
        if (self.row is None) == (self.text is None):
            raise ValueError("give either 'row' or 'text'")
        return self


class DescribedTask(BaseModel):
    """An instance of a task as a circuit's writer sees it."""

    row: dict[str, Any] = Field(description="as verify_circuit takes it")
    question: str = Field(description="what is asked, with all conventions")
    baseline: str = Field(description="the best answer without skill: each part of it is 0")
    baseline_circuit: str = Field(description="that answer as an OpenQASM 3 program")
    notes: list[str] = Field(description="what the words left open, and how it was taken")


@cache
def list_tasks() -> TaskList:
    """Every task but the graph problems, which are listed one by one."""
    return TaskList(tasks=[_listed_task(name) for name in task_names() if name != GRAPH_TASK])


def describe_task(question: TaskQuestion) -> DescribedTask:
    """What an instance asks. Raises InputError or TaskError."""
    if question.row is not None:
        row = {"sample_index": 0, **question.row}
        stated: AskedInstance | None = AskedInstance(TaskRecord.from_dict(row).problem)
    else:
        stated = read_task(question.text or "")
    if stated is None:
        raise InputError("the text asks for none of the tasks; list_tasks names them")
    instance, task = stated.instance, get_task(stated.instance.task)
    facts = task.facts(instance)
    baseline = task.baseline(facts)
    written = TaskRecord(0, instance).to_dict()
    return DescribedTask(
        row={name: written[name] for name in ("task", "family", "n_qubits", "instance")},
        question="\n".join(message["content"] for message in task.prompt(instance)),
        baseline=baseline,
        baseline_circuit=task.baseline_circuits(facts)[baseline].to_qasm(),
        notes=list(stated.notes),
    )


def _listed_task(name: str) -> ListedTask:
    task = get_task(name)
    return ListedTask(
        task=name,
        summary=task.summary,
        families=dict(task.families),
        parts={n: TaskPart(meaning=p.meaning, weight=p.weight) for n, p in task.parts.items()},
        max_qubits=task.max_qubits,
        tunable=task.tunable,
        forms={family: _form(task, family) for family in task.families},
    )


def _form(task: Task[Any, Any, Any], family: str) -> FamilyForm:
    found, row = task.form(family), {"task": task.name, "family": family}
    if found is not None:
        size = {} if found.num_qubits is None else {"n_qubits": found.num_qubits}
        return FamilyForm(
            fields=dict(found.fields), example={**row, **size, "instance": found.example}
        )
    sizes = task.possible_qubits(family, task.max_qubits)
    n = min(sizes, key=lambda size: abs(size - _FEW_QUBITS))
    drawn = task.generate(np.random.default_rng(0), family=family, num_qubits=n)
    return FamilyForm(fields=None, example={**row, "n_qubits": n, "instance": dict(drawn.content)})


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
