"""Requests, answers and stream events of `POST /v1/circuits`, and the refusals of every route.

Those of `POST /v1/verify` are in `quasar.schema.verify`, the OpenAI-compatible ones in
`quasar.schema.chat`. Written down for callers in docs/endpoint.md.
"""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from quasar.config import DeviceName, StyleName, ToolName, checked_tools
from quasar.errors import InputError
from quasar.schema.verify import Part, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from qiskit import QuantumCircuit

MAX_SEED = 2**63 - 1
MAX_TEMPERATURE = 5.0
MAX_ALTERNATIVES = 10
MAX_LAYERS = 32
MAX_TEXT = 20_000  # characters

Stopped = Literal["turns", "satisfied", "budget", "interrupted"]

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
TEXT_EXAMPLE = {"text": "minimum vertex cover of the graph 0-1 1-2 2-3", "samples": 8, "turns": 2}


class CircuitRequest(Part):
    """What to solve, how many candidates to draw, and how often to go over them."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [EXAMPLE, FLOW_EXAMPLE, TEXT_EXAMPLE]},
    )

    problem: Problem | None = Field(default=None, description="the problem as a graph")
    row: dict[str, Any] | None = Field(
        default=None,
        description="or as a row of a problem file, as /v1/verify takes it; its encoding, ansatz "
        "and layers are kept; rows of other tasks, too",
    )
    text: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_TEXT,
        description="or in words: names a primitive and holds the graph, as JSON or as edges "
        "such as 0-1 1-2:3; or a task as in `prepare a GHZ state on five qubits`",
    )
    model: str | None = Field(
        default=None,
        max_length=200,
        description="which model answers, as GET /v1/models names it; null: the first that was "
        "trained on the task",
    )
    samples: int | None = Field(
        default=None, ge=1, description="candidates to draw a turn; the best is answered"
    )
    turns: int = Field(
        default=1,
        ge=1,
        description="model turns; between two turns the model reads what the tool found",
    )
    tools: tuple[ToolName, ...] | None = Field(
        default=None,
        description="verify, and optimise: each candidate's angles are made better before it is "
        "judged; null: as the endpoint is configured",
    )
    budget_s: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="seconds; what is best when they are over is answered",
    )
    temperature: float | None = Field(
        default=None,
        gt=0,
        le=MAX_TEMPERATURE,
        allow_inf_nan=False,
        description="sampling temperature",
    )
    constrained: bool | None = Field(
        default=None,
        description="hold the model to valid OpenQASM 3 on the problem's qubits; "
        "null: as the endpoint is configured",
    )
    ansatz: str | None = Field(
        default=None,
        max_length=100,
        description="family that the prompt asks for, e.g. qaoa, sim_5",
    )
    layers: int | None = Field(
        default=None, ge=1, le=MAX_LAYERS, description="layers of that family"
    )
    device: DeviceName = Field(
        default="none", description="compile the best circuit for this device"
    )
    alternatives: int = Field(
        default=3, ge=0, le=MAX_ALTERNATIVES, description="next best circuits to answer"
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        le=MAX_SEED,
        description="same seed, same candidates; drawn if not given",
    )
    style: StyleName | None = Field(
        default=None,
        description="how the program is written: canonical (parameters named once, a gate for the "
        "cost layer) or published (gate by gate); null: as the model wrote it",
    )
    draw: bool = Field(
        default=False,
        description="tell in the report also how the best circuit is drawn, as /v1/verify does",
    )
    stream: bool = Field(default=False, description="answer with server-sent events")

    @field_validator("tools")
    @classmethod
    def _tools_in_order(cls, names: tuple[ToolName, ...] | None) -> tuple[ToolName, ...] | None:
        return None if names is None else checked_tools(names)

    @model_validator(mode="after")
    def _one_problem(self):
        stated = [name for name in ("problem", "row", "text") if getattr(self, name) is not None]
        if len(stated) != 1:
            given = " and ".join(f"'{name}'" for name in stated) or "none"
            raise ValueError(f"give exactly one of 'problem', 'row' and 'text'; given: {given}")
        return self


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


class Fault(BaseModel):
    """Why one candidate is not valid, or was not verified."""

    kind: str
    message: str


class Candidate(BaseModel):
    """One circuit that was drawn and looked at. Figures are null where it is not valid."""

    turn: int = Field(description="from 1")
    sample: int = Field(description="from 0")
    circuit: str
    valid: bool
    reward: float | None = None
    approximation_ratio: float | None = None
    optimum_probability: float | None = None
    success: bool | None = Field(default=None, description="of a task other than graph problems")
    num_gates: int | None = None
    two_qubit_gates: int | None = None
    depth: int | None = None
    error: Fault | None = None


class TurnSummary(BaseModel):
    """One turn in short."""

    turn: int = Field(description="from 1")
    drawn: int
    valid: int
    best_reward: float | None = Field(description="of this turn and those before it")


class ProblemSummary(BaseModel):
    """The problem as it was understood."""

    task: str = "ising"
    primitive: str = Field(description="of another task than graph problems: the family")
    num_qubits: int


class Compiled(BaseModel):
    """The best circuit on a device: what it costs, or why it does not run there."""

    device: str
    two_qubit_gates: int | None = None
    depth: int | None = Field(default=None, description="measurement not counted")
    duration_us: float | None = Field(default=None, description="with measurement, microseconds")
    message: str | None = None


class CircuitAnswer(BaseModel):
    """The best verified circuit, or why there is none."""

    circuit: str | None = Field(description="OpenQASM 3 program; null where none is valid")
    valid: bool
    message: str
    reward: float | None = Field(description="hierarchical reward of the circuit")
    reward_parts: dict[str, float] = Field(description="its unweighted parts, each in [0, 1]")
    success: bool | None = Field(
        default=None,
        description="whether the task asked for is done; null for a graph problem, whose answer is "
        "feasible and optimal or not",
    )
    headline: str | None = Field(
        default=None, description="the task's figures in one line; null for a graph problem"
    )
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
    turn: int | None = Field(description="turn of the circuit, from 1")
    sample: int | None = Field(description="its sample, from 0")
    compiled: Compiled | None
    alternatives: list[Candidate] = Field(description="the next best distinct circuits")
    problem: ProblemSummary
    candidates: Candidates
    findings: list[Finding]
    turns: list[TurnSummary]
    stopped: Stopped = Field(
        description="all turns were taken; nothing left to make better; out of time; or a later "
        "turn met a full queue or a fault"
    )
    report: dict[str, Any] | None = Field(description="the whole verification report")
    warnings: list[str] = Field(
        default_factory=list,
        description="what is asked beyond what the model was trained on, and an ansatz that "
        "the circuit does not have",
    )
    model: str = Field(description="that wrote the circuit")
    seed: int
    seconds: dict[str, float]

    def to_qiskit(self) -> "QuantumCircuit":
        """The circuit, measured, as Qiskit's. Raises InputError where none was valid."""
        from quasar.circuits.export import program_to_qiskit

        return program_to_qiskit(self._program())

    def to_pennylane(self) -> "Callable[[], None]":
        """The circuit as a quantum function of PennyLane on wires 0…n−1, without measurements.

        Raises InputError where none was valid.
        """
        from quasar.circuits.export import program_to_pennylane

        return program_to_pennylane(self._program())

    def _program(self) -> str:
        if self.circuit is None:
            raise InputError(f"there is no circuit: {self.message}")
        return self.circuit


class Started(BaseModel):
    """Event `start`."""

    model: str
    seed: int
    samples: int
    turns: int
    problem: ProblemSummary
    warnings: list[str] = Field(default_factory=list, description="as in the answer, so far")


class GrownPiece(BaseModel):
    """Text that one sample has gained."""

    sample: int
    text: str


class TurnGrown(BaseModel):
    """Event `grown`: what the model has written since the last one; all pieces of a sample
    make up its text."""

    turn: int
    pieces: list[GrownPiece]


class WrittenCandidate(BaseModel):
    """A text that the model has just written."""

    turn: int
    sample: int
    circuit: str


class TurnWritten(BaseModel):
    """Event `written`: a turn's candidates, not verified yet."""

    turn: int
    candidates: list[WrittenCandidate]
    seconds: float


class TurnVerified(BaseModel):
    """Event `verified`: the same candidates with what the tool found, and the best so far."""

    turn: int
    candidates: list[Candidate]
    best: Candidate | None
    improved: bool = Field(description="whether the best is of this turn")
    seconds: float


class Refusal(BaseModel):
    """What was wrong, where, and a hint."""

    message: str
    field: str | None = Field(description="dotted path into the body")
    hint: str


class ErrorResponse(BaseModel):
    """Body of every answer that is no success."""

    error: Refusal


class StreamError(ErrorResponse):
    """Event `error`."""

    status: int


Event = Started | TurnGrown | TurnWritten | TurnVerified | CircuitAnswer | StreamError
EVENT_NAMES: dict[type[BaseModel], str] = {
    Started: "start",
    TurnGrown: "grown",
    TurnWritten: "written",
    TurnVerified: "verified",
    CircuitAnswer: "answer",
    StreamError: "error",
}
