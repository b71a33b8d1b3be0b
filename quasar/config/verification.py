"""Settings of the verification tool, and of the reward that comes of its report."""

from typing import Literal

from pydantic import Field, model_validator

from quasar.config.section import Section

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
    model: DeviceName = Field(
        "none", description="noise model; fake_*: snapshots of IBM devices, read offline"
    )
    one_qubit_error: float = Field(
        1e-3, ge=0, le=1, description="depolarizing: rate of a one-qubit gate"
    )
    two_qubit_error: float = Field(
        1e-2, ge=0, le=1, description="depolarizing: rate of a two-qubit gate"
    )
    readout_error: float = Field(
        0.02, ge=0, le=0.45, description="depolarizing: probability that a bit is read wrong"
    )
    shots: int = Field(
        512, ge=2, le=100_000, description="trajectories, where a density matrix is too large"
    )
    readout_mitigation: bool = Field(True, description="invert the readout error, qubit by qubit")
    zero_noise: Literal["none", "linear", "richardson"] = Field(
        "none", description="extrapolation to zero noise by gate folding, scales 1, 3 and 5"
    )


class VerificationConfig(Section):
    simulator: Literal["auto", "exact", "aer", "torch", "mps"] = Field(
        "auto",
        description="simulator backend; auto: exact up to 20 qubits, Aer up to 24, mps above; torch on a GPU",
    )
    shots: int = Field(
        4096, ge=1, le=1_000_000, description="samples of a circuit on more than 20 qubits"
    )
    mps_bond_dimension: int = Field(
        64, ge=1, le=1024, description="mps: largest bond dimension; time grows with its cube"
    )
    mps_truncation: float = Field(
        1e-16, ge=0, le=0.1, description="mps: weight of the singular values that may be dropped"
    )
    noise: NoiseConfig = Field(
        default_factory=NoiseConfig, description="noise of the noise-aware expectation value"
    )
    num_workers: int = Field(1, ge=1, description="verifier actors in the pool")
    cpus_per_worker: float = Field(0.25, ge=0, description="Ray CPUs reserved for a verifier actor")
    gpus_per_worker: float = Field(
        0.0, ge=0, description="Ray GPUs reserved for a verifier actor (Aer on GPU)"
    )
    nodes: str | None = Field(
        None,
        min_length=1,
        description="verifier actors run on nodes with this custom Ray resource; null: on any",
    )
    start_timeout_s: float = Field(
        180.0,
        gt=0,
        description="longest wait for verifiers to start or to come back; more for nodes added on demand",
    )
    time_limit_s: float = Field(
        20.0, gt=0, description="wall clock of one verification, counted from the start of its work"
    )
    memory_limit_mb: int = Field(
        2048, ge=64, description="memory that one verifier may take beyond its start, MiB"
    )
    max_text_bytes: int = Field(200_000, ge=100, description="longest completion that is read")
    max_qubits: int = Field(20, ge=1, le=40, description="most qubits of a circuit")
    max_gates: int = Field(20_000, ge=1, description="most gates after expansion")
    gradient_evaluations: int = Field(
        8, ge=0, description="gradient evaluations of the warm-start stage; 0 switches it off"
    )
    random_starts: int = Field(
        3, ge=1, description="random starts that the warm start is measured against"
    )
    optimise_above: float = Field(
        0.05,
        ge=0,
        le=1,
        description="warm-start and noise stages run where the expectation part exceeds this",
    )
    budget_s: float = Field(
        0.0,
        ge=0,
        description="seconds of warm-start and noise stages in one batch of candidates, by "
        "estimate, the most promising first; 0: no limit",
    )


class RewardWeights(Section):
    """Each weight may be 0: that part then has no effect."""

    syntax: float = Field(1.0, ge=0, description="an invalid program earns minus this (the floor)")
    validity: float = Field(0.0, ge=0, description="a valid program earns this, whatever it does")
    distribution: float = Field(0.4, ge=0, description="weight of the optimum-enrichment part")
    expectation: float = Field(0.4, ge=0, description="weight of the expectation-value part")
    optimisation: float = Field(0.2, ge=0, description="weight of the warm-start part")
    optimum_probability: float = Field(
        0.0, ge=0, description="weight of the probability of an optimum above uniform sampling's"
    )
    feasible_mass: float = Field(
        0.0, ge=0, description="weight of the probability of feasible answers above uniform's"
    )
    noise_aware_expectation: float = Field(
        0.0, ge=0, description="weight of the expectation-value part under noise"
    )
    two_qubit_cost: float = Field(
        0.0,
        ge=0,
        description="weight of the two-qubit-gate cost, which is subtracted; at most syntax + validity",
    )

    @model_validator(mode="after")
    def _valid_beats_invalid(self):
        if self.two_qubit_cost > self.syntax + self.validity:
            raise ValueError(
                f"two_qubit_cost {self.two_qubit_cost:g} is above syntax + validity "
                f"{self.syntax + self.validity:g}: a valid circuit could earn less than none"
            )
        return self


class RewardConfig(Section):
    formula: Literal["hierarchical", "published"] = Field(
        "hierarchical", description="reward formula; 'published' is the authors' case table"
    )
    weights: RewardWeights = Field(
        default_factory=RewardWeights, description="weights of the hierarchical formula's parts"
    )
    call_cost: float = Field(
        0.01, ge=0, description="subtracted for each verification of a rollout after its first"
    )
