"""Request and answer of `POST /v1/circuits`, and the step from a request to a problem instance."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from quasar.errors import ProblemError
from quasar.problems import ProblemInstance, build_instance
from quasar.serving.errors import RequestRefused

MAX_SEED = 2**63 - 1
MAX_TEMPERATURE = 5.0

EXAMPLE = {
    "problem": {
        "primitive": "vertex_cover",
        "graph": {"nodes": [0, 1, 2, 3], "edges": [[0, 1], [1, 2], [2, 3]]},
    },
    "samples": 4,
}
FLOW_EXAMPLE = {
    "problem": {
        "primitive": "min_cut",
        "graph": {"nodes": [0, 1, 2], "edges": [[0, 1, 2], [1, 2, 1], [0, 2, 1]]},
        "attributes": {"source": 0, "sink": 2},
    },
    "samples": 8,
    "temperature": 0.7,
    "seed": 1,
}


class Part(BaseModel):
    """Base of the request's parts: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(Part):
    """A graph problem."""

    primitive: str = Field(description="name of the problem, e.g. min_cut", max_length=100)
    graph: dict[str, Any] = Field(
        description=(
            "node-link JSON; or the short form {nodes: [0, 1], edges: [[0, 1]]}, where an edge may "
            "have a third entry (capacity or weight); or {nodes: [0, 1], hyperedges: [[0, 1]]}"
        )
    )
    attributes: dict[str, Any] = Field(
        default_factory=dict, description="what the problem needs besides, e.g. source and sink"
    )


class CircuitRequest(Part):
    """What to solve and how many candidates to draw."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [EXAMPLE, FLOW_EXAMPLE]}
    )

    problem: Problem
    samples: int | None = Field(None, ge=1, description="candidates to draw; the best is answered")
    temperature: float | None = Field(
        None, gt=0, le=MAX_TEMPERATURE, allow_inf_nan=False, description="sampling temperature"
    )
    seed: int | None = Field(
        None, ge=0, le=MAX_SEED, description="same seed, same candidates; drawn if not given"
    )


class Candidates(BaseModel):
    """How the drawn candidates fared; valid + invalid + unverified = drawn."""

    drawn: int
    valid: int
    invalid: int
    unverified: int = Field(description="the verification itself failed, e.g. at its time limit")


class Finding(BaseModel):
    """Why candidates were not valid: one row a kind of error."""

    kind: str
    message: str
    count: int


class CircuitAnswer(BaseModel):
    """The best verified circuit, or why there is none."""

    circuit: str | None = Field(description="OpenQASM 3 program; null where none is valid")
    valid: bool
    message: str
    reward: float | None = Field(description="hierarchical reward of the circuit")
    reward_parts: dict[str, float] = Field(description="its unweighted parts, each in [0, 1]")
    best_bitstring: str | None = Field(
        description=(
            "lowest-energy bitstring among those that the circuit measures most often; "
            "character i is binary variable i"
        )
    )
    probability: float | None = Field(description="probability of measuring it")
    energy: float | None = Field(description="its energy under the cost Hamiltonian")
    answer: Any = Field(description="what it says in the problem's own terms")
    feasible: bool | None
    optimal: bool | None
    candidates: Candidates
    findings: list[Finding]
    report: dict[str, Any] | None = Field(description="the whole verification report")
    model: str
    seed: int
    seconds: dict[str, float]


def to_instance(problem: Problem, *, max_qubits: int) -> ProblemInstance:
    """The checked instance; RequestRefused (422) where the problem is not well posed."""
    graph = expand_graph(problem.graph, is_network=problem.attributes.keys() >= _NETWORK)
    try:
        return build_instance(problem.primitive, graph, problem.attributes, max_qubits=max_qubits)
    except ProblemError as error:
        raise RequestRefused(
            422,
            str(error),
            field="problem",
            mend="correct the problem; GET /v1/models lists the primitives and the qubit limit",
        ) from error


_NETWORK = {"source", "sink"}  # attributes that make the graph a directed flow network


def expand_graph(graph: Mapping[str, Any], *, is_network: bool) -> dict[str, Any]:
    """Node-link JSON from the short form; what is in the long form already is left as it is.

    In a flow network edges are directed and the third entry of an edge is its capacity, otherwise
    its weight. Shapes that make no sense are passed on: `build_instance` names them.
    """
    if "hyperedges" in graph or not isinstance(graph.get("nodes"), list):
        return dict(graph)
    nodes = [node if isinstance(node, Mapping) else {"id": node} for node in graph["nodes"]]
    edges = graph.get("edges")
    if isinstance(edges, list):
        third = "capacity" if is_network else "weight"
        edges = [_expand_edge(edge, third) for edge in edges]
    rest = {"directed": is_network, "multigraph": False, "graph": {}}
    return {**rest, **graph, "nodes": nodes, "edges": edges}


def _expand_edge(edge: Any, third: str) -> Any:
    if not isinstance(edge, list) or len(edge) not in (2, 3):
        return edge
    long = {"source": edge[0], "target": edge[1]}
    return {third: edge[2], **long} if len(edge) == 3 else long
