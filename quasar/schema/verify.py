"""What the verification tool is asked and what it answers, whichever door the caller comes through.

`to_check` turns a request into a check for any verifier (pool, guarded process), `to_answer` turns
its result into the answer. The answer's parts are the dataclasses of the verification themselves.
Clients import the models alone: what builds problems (numba, scipy) is loaded by the functions.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from quasar.config import RewardConfig
from quasar.config.findings import finding_line, plain
from quasar.errors import VerificationError
from quasar.verification.observation import observation_text
from quasar.verification.report import VerificationReport
from quasar.verification.reward import Failed, Scored, score

if TYPE_CHECKING:
    import networkx

    from quasar.problems import ProblemInstance
    from quasar.verification.request import ReportRequest, VerificationResult

_PATH = {"nodes": [0, 1, 2], "edges": [[0, 1], [1, 2]]}
_CIRCUIT = """OPENQASM 3.0;
include "stdgates.inc";
bit[3] c;
qubit[3] q;
ry(1.5708) q[0];
x q[0];
ry(0.4) q[1];
h q[2];
c = measure q;
"""
GRAPH_EXAMPLE = {
    "problem": {"primitive": "vertex_cover", "graph": _PATH},
    "circuit": _CIRCUIT,
}
ROW_EXAMPLE = {
    "row": {
        "problem_type": "vertex_cover",
        "graph": {
            "nodes": [{"id": 0}, {"id": 1}],
            "edges": [{"source": 0, "target": 1}],
        },
        "cost_hamiltonian": "0.5 * (Z(0) @ Z(1)) + 0.0 * Z(0) + 0.0 * Z(1)",
        "n_qubits": 2,
    },
    "circuit": _CIRCUIT.replace("[3]", "[2]").replace("h q[2];\n", ""),
    "diagnose": False,
}


class Part(BaseModel):
    """Base of a request's parts: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(Part):
    """A graph problem."""

    primitive: str = Field(description="name of the problem, e.g. min_cut", max_length=100)
    graph: dict[str, Any] = Field(
        description=(
            "node-link JSON (edges, or links); or the short form {nodes: [0, 1], edges: [[0, 1]]}, "
            "where an edge may have a third entry (capacity or weight); or {nodes: [0, 1], "
            "hyperedges: [[0, 1]]}. What the problem does not use is refused"
        )
    )
    attributes: dict[str, Any] = Field(
        default_factory=dict, description="what the problem needs besides, e.g. source and sink"
    )

    @field_validator("graph", "attributes", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return plain(value)

    @classmethod
    def from_networkx(cls, primitive: str, graph: "networkx.Graph", **attributes: Any) -> "Problem":
        """The problem of a networkx graph, whose edges carry `weight` or `capacity`, e.g.
        `Problem.from_networkx("min_cut", network, source=0, sink=3)`.

        Labels other than whole numbers and texts become their text: node (0, 1) is "(0, 1)", in the
        answer too. Raises ProblemError for what is no networkx graph, a multigraph, two labels of
        one text, and data of an edge or node that is no plain number or text.
        """
        from quasar.problems.readers.networks import read_network

        found, plain_attributes = read_network(graph, attributes)
        return cls(primitive=primitive, graph=found, attributes=plain_attributes)


class Question(Part):
    """Base of requests on one problem, stated in one of two ways."""

    problem: Problem | None = Field(default=None, description="the problem as a graph")
    row: dict[str, Any] | None = Field(
        default=None,
        description="or as a row of a problem file, under the benchmark's field names: "
        "problem_type, graph, problem_specific_attributes, cost_hamiltonian, n_qubits, …; or a "
        "row of another task: task, family, n_qubits, instance",
    )

    @model_validator(mode="after")
    def _one_problem(self):
        if (self.problem is None) == (self.row is None):
            what = "neither is" if self.problem is None else "both are"
            raise ValueError(f"give either 'problem' or 'row'; {what} given")
        return self


class VerifyRequest(Question):
    """One circuit to verify for one problem."""

    model_config = ConfigDict(json_schema_extra={"examples": [GRAPH_EXAMPLE, ROW_EXAMPLE]})

    circuit: str = Field(
        description="an OpenQASM 3 program that measures every qubit at its end; text around it, "
        "such as a chat answer, is left out"
    )
    diagnose: bool = Field(
        default=True,
        description="say what to fix: violated Hamiltonian terms, slopes of the angles",
    )
    draw: bool = Field(
        default=False,
        description="tell also what a person is shown: gates with their columns, the most probable "
        "outcomes, the likeliest optimum",
    )
    observation_chars: int = Field(
        default=1000, ge=20, le=20_000, description="longest observation text, characters"
    )


class VerifyAnswer(BaseModel):
    """What the verification found. A circuit that is not valid is an answer, not an error."""

    report: VerificationReport = Field(
        description="stages passed, their signals, the error of a program that is not valid, what "
        "to fix, seconds"
    )
    reward: Scored = Field(description="the grade, and its parts unweighted and weighted")
    observation: str = Field(description="the report in a few lines, for a language model")


def to_problem(question: Question, *, max_qubits: int) -> "ProblemInstance":
    """The checked instance. Raises ProblemError, or InputError for a row that cannot be read."""
    from quasar.datasets.records import ProblemRecord

    if question.row is not None:
        row = {"sample_index": 0, **question.row}  # a row of a request needs no place in a file
        return ProblemRecord.from_dict(row, max_qubits=max_qubits).problem
    assert question.problem is not None  # one of the two, by the model's validator
    return to_instance(question.problem, max_qubits=max_qubits)


def to_check(request: VerifyRequest, *, max_qubits: int) -> "ReportRequest":
    """What a verifier is given. Raises as `to_problem`.

    max_qubits: of graph problems; a row of another task may have as many as the task takes.
    """
    from quasar.datasets.task_records import TaskRecord, is_task_row
    from quasar.verification.request import request_of

    if is_task_row(request.row):
        row = {"sample_index": 0, **(request.row or {})}
        problem = TaskRecord.from_dict(row).problem
    else:
        problem = to_problem(request, max_qubits=max_qubits)
    return request_of(problem, request.circuit, diagnose=request.diagnose, draw=request.draw)


def to_answer(
    result: "VerificationResult", request: VerifyRequest, reward: RewardConfig
) -> VerifyAnswer:
    """The answer to the request. Raises VerificationError for a fault, which is never a grade."""
    if isinstance(result, Failed):
        raise VerificationError(result.kind, f"the circuit was not verified: {result.detail}")
    return VerifyAnswer(
        report=result,
        reward=score(result, reward),
        observation=observation_text(result, max_chars=request.observation_chars),
    )


def to_instance(problem: Problem, *, max_qubits: int) -> "ProblemInstance":
    """The checked instance of a graph. Raises ProblemError where it is not well posed."""
    from quasar.problems import build_instance, get_problem

    found = get_problem(problem.primitive)
    graph = problem.graph
    if not found.hypergraph:
        graph = expand_graph(
            graph, is_network=found.directed, third=next(iter(found.edge_fields), None)
        )
    return build_instance(problem.primitive, graph, problem.attributes, max_qubits=max_qubits)


def explain(error: ValidationError) -> str:
    """The first finding of a request's validation in one line."""
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"unknown field '{field}'; take it out"
    return finding_line(field, first)


def expand_graph(
    graph: Mapping[str, Any], *, is_network: bool, third: str | None = None
) -> dict[str, Any]:
    """Node-link JSON from the short form; what is in the long form already is left as it is.

    In a flow network edges are directed and the third entry of an edge is its capacity, otherwise
    its weight; or what `third` says. Shapes that make no sense are passed on: `build_instance`
    names them.
    """
    from quasar.problems.forms import long_form

    if "hyperedges" in graph or not isinstance(graph.get("nodes"), (list, tuple)):
        return dict(graph)
    value = third or ("capacity" if is_network else "weight")
    found = long_form(graph, problem="problem", value=value, hypergraph=False)
    return {"directed": is_network, "multigraph": False, "graph": {}} | found
