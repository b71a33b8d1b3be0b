"""Answers of the routes that only tell facts. Fields of a newer endpoint are passed over."""

from pydantic import BaseModel


class TrainedInstances(BaseModel):
    """Instances of a task other than graph problems, of one family."""

    family: str | None  # None: of all families
    min_qubits: int
    max_qubits: int


class TrainedRange(BaseModel):
    """What a model was trained on; what lies outside is answered with a warning."""

    tasks: list[str] = ["ising"]  # ising: graph problems
    primitives: list[str]
    min_qubits: int
    max_qubits: int
    ansatze: list[str]
    layers: list[int]
    instances: dict[str, list[TrainedInstances]] = {}  # by task


class ModelFacts(BaseModel):
    """A model of the endpoint, and what one request may ask for."""

    id: str | None  # None: the endpoint only verifies
    primitives: list[str]
    max_qubits: int
    samples: int  # candidates a turn unless the request says otherwise
    max_samples: int
    max_turns: int
    temperature: float
    request_timeout_s: float
    trained: TrainedRange | None = None  # None where there is no model


class ModelList(BaseModel):
    """Body of GET /v1/models."""

    data: list[ModelFacts]


class Readiness(BaseModel):
    """Body of GET /readyz."""

    waiting: list[str]
