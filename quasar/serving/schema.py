"""Request and answer of `POST /v1/circuits`; those of `POST /v1/verify`: `quasar.tool.schema`."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from quasar.tool.schema import Part, Problem

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
    constrained: bool | None = Field(
        None,
        description="hold the model to valid OpenQASM 3 on the problem's qubits; "
        "null: as the endpoint is configured",
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
