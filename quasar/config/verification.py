"""Settings of the verification tool, and of the reward that comes of its report."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from quasar.config.section import RESUMES, Section
from quasar.config.task_names import (
    EVERY_TASK,
    as_weight,
    declared_parts,
    shared_parts,
    task_names,
)

DeviceName = Literal[
    "none",
    "depolarizing",
    "fake_manila",
    "fake_guadalupe",
    "fake_kolkata",
    "fake_sherbrooke",
    "fake_torino",
    "fake_marrakesh",
]


class NoiseConfig(Section):
    if TYPE_CHECKING:

        def __hash__(self) -> int: ...  # pydantic makes it, the fields being frozen

    model: DeviceName = Field(
        default="none", description="noise model; fake_*: snapshots of IBM devices, read offline"
    )
    one_qubit_error: float = Field(
        default=1e-3, ge=0, le=1, description="depolarizing: rate of a one-qubit gate"
    )
    two_qubit_error: float = Field(
        default=1e-2, ge=0, le=1, description="depolarizing: rate of a two-qubit gate"
    )
    readout_error: float = Field(
        default=0.02,
        ge=0,
        le=0.45,
        description="depolarizing: probability that a bit is read wrong",
    )
    shots: int = Field(
        default=512,
        ge=2,
        le=100_000,
        description="trajectories, where a density matrix is too large",
    )
    readout_mitigation: bool = Field(
        default=True, description="invert the readout error, qubit by qubit"
    )
    zero_noise: Literal["none", "linear", "richardson"] = Field(
        default="none", description="extrapolation to zero noise by gate folding, scales 1, 3 and 5"
    )


class VerificationConfig(Section):
    simulator: Literal["auto", "exact", "aer", "torch", "mps"] = Field(
        default="auto",
        description="simulator backend; auto: exact up to 20 qubits, Aer up to 24, mps above; torch on a GPU",
    )
    shots: int = Field(
        default=4096, ge=1, le=1_000_000, description="samples of a circuit on more than 20 qubits"
    )
    mps_bond_dimension: int = Field(
        default=64,
        ge=1,
        le=1024,
        description="mps: largest bond dimension; time grows with its cube",
    )
    mps_truncation: float = Field(
        default=1e-16,
        ge=0,
        le=0.1,
        description="mps: weight of the singular values that may be dropped",
    )
    noise: NoiseConfig = Field(
        default_factory=NoiseConfig, description="noise of the noise-aware expectation value"
    )
    num_workers: int = Field(
        default=1, ge=1, description="verifier actors in the pool", json_schema_extra=RESUMES
    )
    cpus_per_worker: float = Field(
        default=0.25,
        ge=0,
        description="Ray CPUs reserved for a verifier actor",
        json_schema_extra=RESUMES,
    )
    gpus_per_worker: float = Field(
        default=0.0,
        ge=0,
        description="Ray GPUs reserved for a verifier actor (Aer on GPU)",
        json_schema_extra=RESUMES,
    )
    nodes: str | None = Field(
        default=None,
        min_length=1,
        description="verifier actors run on nodes with this custom Ray resource; null: on any",
        json_schema_extra=RESUMES,
    )
    start_timeout_s: float = Field(
        default=180.0,
        gt=0,
        description="longest wait for verifiers to start or to come back; more for nodes added on demand",
        json_schema_extra=RESUMES,
    )
    time_limit_s: float = Field(
        default=20.0,
        gt=0,
        description="wall clock of one verification, counted from the start of its work; of an "
        "evaluation's samples: time of the processor",
        json_schema_extra=RESUMES,
    )
    memory_limit_mb: int = Field(
        default=2048,
        ge=64,
        description="memory that one verifier may take beyond its start, MiB",
        json_schema_extra=RESUMES,
    )
    max_text_bytes: int = Field(
        default=200_000, ge=100, description="longest completion that is read"
    )
    max_qubits: int = Field(default=20, ge=1, le=40, description="most qubits of a circuit")
    max_gates: int = Field(default=20_000, ge=1, description="most gates after expansion")
    gradient_evaluations: int = Field(
        default=8,
        ge=0,
        description="gradient evaluations of the warm-start stage; 0 switches it off",
    )
    random_starts: int = Field(
        default=3, ge=1, description="random starts that the warm start is measured against"
    )
    optimise_above: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="warm-start and noise stages run where the expectation part exceeds this",
    )
    budget_s: float = Field(
        default=0.0,
        ge=0,
        description="seconds of warm-start and noise stages in one batch of candidates, by "
        "estimate, the most promising first; 0: no limit",
    )


class RewardWeights(Section):
    """Each weight may be 0: that part then has no effect.

    Beside the fields below, which graph problems use and other tasks where the name is the same:
    `<part>` of any task (`quasar tasks show`), shared by all that have it, and `<task>.<part>`,
    which overrides it for one task. What is not set is the default that the part declares.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    syntax: float = Field(
        default=1.0, ge=0, description="an invalid program earns minus this (the floor)"
    )
    validity: float = Field(
        default=0.0, ge=0, description="a valid program earns this, whatever it does"
    )
    distribution: float = Field(
        default=0.4, ge=0, description="weight of the optimum-enrichment part"
    )
    expectation: float = Field(
        default=0.4, ge=0, description="weight of the expectation-value part"
    )
    optimisation: float = Field(default=0.2, ge=0, description="weight of the warm-start part")
    optimum_probability: float = Field(
        default=0.0,
        ge=0,
        description="weight of the probability of an optimum above uniform sampling's",
    )
    feasible_mass: float = Field(
        default=0.0,
        ge=0,
        description="weight of the probability of feasible answers above uniform's",
    )
    optimum_most_probable: float = Field(
        default=0.0,
        ge=0,
        description="weight of whether the most probable bitstring is an optimum: the answer that is read off",
    )
    noise_aware_expectation: float = Field(
        default=0.0, ge=0, description="weight of the expectation-value part under noise"
    )
    two_qubit_cost: float = Field(
        default=0.0,
        ge=0,
        description="weight of the two-qubit-gate cost, which is subtracted; at most syntax + validity",
    )

    @model_validator(mode="before")
    @classmethod
    def _declared(cls, given: Any) -> Any:
        """What is no field must be a part or a task, and a number at least 0."""
        if not isinstance(given, dict) or not (given.keys() - cls.model_fields.keys()):
            return given
        checked, wrong = {}, []
        for name, value in given.items():
            if name in cls.model_fields:
                checked[name] = value
            elif isinstance(value, dict) and name in task_names():
                known = (*EVERY_TASK, *declared_parts(name))
                for part in value:
                    if part not in known:
                        wrong.append(_unknown(name, part, value=value[part]))
                checked[name] = {part: as_weight(f"{name}.{part}", value[part]) for part in value}
            elif not isinstance(value, dict) and name in shared_parts():
                checked[name] = as_weight(name, value)
            else:
                wrong.append(_unknown(name, value=value))
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return checked

    def of(self, task: str, part: str) -> float:
        """The weight of a task's part: the task's own, the shared one, or the part's default."""
        extras = self.model_extra or {}
        own = extras.get(task, {})
        if part in own:
            return own[part]
        if part in type(self).model_fields:
            return getattr(self, part)
        return extras[part] if part in extras else declared_parts(task)[part].weight

    @property
    def further(self) -> dict[str, float]:
        """Weights beyond the fields by dotted name, in the order in which they were given."""
        found = {}
        for name, value in (self.model_extra or {}).items():
            if isinstance(value, dict):
                found |= {f"{name}.{part}": weight for part, weight in value.items()}
            else:
                found[name] = value
        return found

    @model_validator(mode="after")
    def _valid_beats_invalid(self):
        tasks = [
            name for name, value in (self.model_extra or {}).items() if isinstance(value, dict)
        ]
        for task in (None, *tasks):
            floor, validity, cost = (
                getattr(self, name) if task is None else self.of(task, name) for name in EVERY_TASK
            )
            if cost > floor + validity:
                raise ValueError(
                    f"{f'{task}.' if task else ''}two_qubit_cost {cost:g} is above syntax + validity "
                    f"{floor + validity:g}: a valid circuit could earn less than none"
                )
        return self


class RewardConfig(Section):
    formula: Literal["hierarchical", "published"] = Field(
        default="hierarchical", description="reward formula; 'published' is the authors' case table"
    )
    weights: RewardWeights = Field(
        default_factory=RewardWeights, description="weights of the hierarchical formula's parts"
    )
    call_cost: float = Field(
        default=0.01,
        ge=0,
        description="subtracted for each verification of a rollout after its first",
    )
    optimise_cost: float = Field(
        default=0.02,
        ge=0,
        description="subtracted for each call of the optimise tool in a rollout",
    )


def _unknown(*path: str, value: Any) -> Any:
    """A finding of pydantic's: a key that there is not."""
    return {"type": "extra_forbidden", "loc": path, "input": value}
