"""The typed configuration: one validated tree, loaded from YAML, overridden from the command line.

Each value carries its unit, default and meaning here and nowhere else. Unknown keys are refused
with the nearest valid name. `load_config("laptop", ["grpo.iterations=10"])` is the way in.
"""

import contextlib
import difflib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from quasar.errors import ConfigError

PRESETS = ("laptop", "single-gpu", "cluster-4b")


class Section(BaseModel):
    """Base of all parts of the tree: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RunConfig(Section):
    name: str = Field(
        "quasar", description="run name; its directory is <directory>/<name>", min_length=1
    )
    directory: str = Field(
        "runs", description="where runs are written (shared storage on a cluster)"
    )
    upload: str | None = Field(
        None,
        min_length=1,
        description="where finished artefacts are copied as <upload>/<name>, e.g. s3://bucket/runs; null: nowhere",
    )
    seed: int = Field(0, ge=0, description="seed of data, initial weights, sampling and training")


class ClusterConfig(Section):
    address: str | None = Field(
        None, description="Ray address; null starts a local Ray or joins the job's"
    )
    accelerator: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="where models run; auto: GPU if one is there"
    )


class DatasetConfig(Section):
    primitives: tuple[str, ...] = Field(
        ("vertex_cover", "hypermaxcut", "min_cut"),
        min_length=1,
        description="problem primitives to generate",
    )
    encoding: Literal["sound", "published"] = Field(
        "sound",
        description="Hamiltonians of the primitives; published: the benchmark's, where they differ",
    )
    num_examples: int = Field(4000, ge=10, description="solved examples over all splits")
    min_qubits: int = Field(3, ge=2, le=16, description="fewest qubits of an instance")
    max_qubits: int = Field(6, ge=2, le=16, description="most qubits of an instance")
    ansatze: tuple[str, ...] = Field(
        ("qaoa",),
        min_length=1,
        description="ansatz families to draw from for each problem; hardware_efficient: any of the nineteen",
    )
    layers: tuple[int, ...] = Field(
        (1,), min_length=1, description="numbers of layers to draw from (adaptive has always one)"
    )
    angle_decimals: int = Field(
        2, ge=1, le=8, description="decimals of the angles in emitted circuits"
    )
    min_improvement: float = Field(
        0.05,
        ge=0,
        le=1,
        description="least gain in approximation ratio over uniform sampling for an example to be kept",
    )
    min_approximation_ratio: float = Field(
        0.0, ge=0, le=1, description="least approximation ratio for an example to be kept"
    )
    min_enrichment: float = Field(
        0.0,
        ge=0,
        description="least probability of an optimum, in multiples of uniform sampling's, to be kept",
    )
    max_program_bytes: int = Field(
        18_000, ge=100, description="longest reference program (the published limit)"
    )
    prompts: Literal["structured", "free"] = Field(
        "structured",
        description="prompts name encoding, Hamiltonian and ansatz; free: varied wordings that say "
        "no more than the published ones",
    )
    validation_fraction: float = Field(
        0.05, gt=0, lt=0.5, description="share of problems (by hash) for validation"
    )
    test_fraction: float = Field(
        0.1, gt=0, lt=0.5, description="share of problems (by hash) held out for the test"
    )
    format: Literal["jsonl", "parquet"] = Field("jsonl", description="file format of the splits")
    num_workers: int = Field(2, ge=1, description="processes that solve instances")

    @field_validator("layers", "ansatze", "primitives", mode="before")
    @classmethod
    def _one_is_a_list(cls, value):
        return (value,) if isinstance(value, (int, str)) else value

    @field_validator("layers")
    @classmethod
    def _layers_in_range(cls, value):
        if not all(1 <= layers <= 8 for layers in value):
            raise ValueError("each number of layers must be from 1 to 8")
        return value

    @model_validator(mode="after")
    def _qubits_in_order(self):
        if self.max_qubits < self.min_qubits:
            raise ValueError("max_qubits is below min_qubits")
        return self


class PolicyConfig(Section):
    model: str = Field(
        "build",
        description="'build' makes a small model and tokenizer; else a Hugging Face directory or hub name",
    )
    hidden_size: int = Field(128, ge=16, description="width (only for 'build')")
    num_layers: int = Field(4, ge=1, description="transformer layers (only for 'build')")
    num_attention_heads: int = Field(4, ge=1, description="query heads (only for 'build')")
    num_key_value_heads: int = Field(2, ge=1, description="key/value heads (only for 'build')")
    intermediate_size: int = Field(384, ge=16, description="MLP width (only for 'build')")
    vocab_size: int = Field(2048, ge=300, description="most tokenizer pieces (only for 'build')")
    dtype: Literal["float32", "bfloat16"] = Field(
        "float32", description="parameter and activation type"
    )
    gradient_checkpointing: bool = Field(
        False, description="recompute activations in the backward pass"
    )
    lora_rank: int = Field(
        0, ge=0, description="rank of LoRA adapters on all linear layers; 0: train all weights"
    )
    lora_alpha: float = Field(
        32.0, gt=0, description="LoRA: the adapters' update is scaled by this over the rank"
    )


class GenerationConfig(Section):
    engine: Literal["transformers", "vllm"] = Field(
        "transformers",
        description="what runs the model; vllm: needs a GPU and the extra of that name",
    )
    constrained: bool = Field(
        False,
        description="only tokens that keep the answer a valid OpenQASM 3 program on the problem's qubits",
    )
    stop_at_program_end: bool = Field(
        False,
        description="a turn also ends where the last qubit is measured, not only at its end token",
    )
    temperature: float = Field(0.7, gt=0, description="sampling temperature in training rollouts")
    top_p: float = Field(1.0, gt=0, le=1, description="nucleus mass in training rollouts")
    max_prompt_tokens: int = Field(
        256, ge=16, description="longest prompt, tokens; a longer one is refused"
    )
    max_response_tokens: int = Field(
        256, ge=16, description="longest response over all turns of a rollout, tokens"
    )
    max_observation_tokens: int = Field(
        96, ge=16, description="longest tool observation a turn, tokens"
    )
    max_turns: int = Field(
        1,
        ge=1,
        description="model turns a rollout; between two turns the tool's observation is read",
    )
    turn_tokens: int | None = Field(
        None, ge=16, description="longest turn, tokens; null: what is left of the response"
    )
    satisfied_at: float = Field(
        0.99,
        ge=0,
        le=1,
        description="optimum enrichment of a circuit (the distribution part) that needs no further turn",
    )
    tool_format: Literal["compact", "chat_template"] = Field(
        "compact",
        description="how the policy calls the tool; compact: a turn is a program; chat_template: the "
        "template's own tool calls, as Qwen's instruct models were taught",
    )
    batch_size: int = Field(128, ge=1, description="sequences that one engine decodes together")
    gpu_memory_fraction: float = Field(
        0.9, gt=0, le=1, description="vllm: share of the GPU's memory; less beside a learner"
    )

    @model_validator(mode="after")
    def _vllm_gives_the_log_probs_of_the_nucleus(self):
        if self.engine == "vllm" and self.top_p < 1:
            raise ValueError(
                "with engine vllm set top_p=1: vLLM's log-probabilities are renormalised over the "
                "nucleus, which the learner does not recompute"
            )
        return self

    @property
    def max_context_tokens(self) -> int:
        """Longest prompt, response and observations of one rollout together."""
        read = (self.max_turns - 1) * self.max_observation_tokens
        return self.max_prompt_tokens + self.max_response_tokens + read


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


class LearnerConfig(Section):
    num_learners: int = Field(1, ge=1, description="learner actors (data-parallel ranks)")
    cpus_per_learner: float = Field(0.5, gt=0, description="Ray CPUs a learner actor reserves")
    gpus_per_learner: float = Field(0.0, ge=0, description="Ray GPUs a learner actor reserves")
    nodes: str | None = Field(
        None,
        min_length=1,
        description="learner actors run on nodes with this custom Ray resource; null: on any",
    )
    start_timeout_s: int = Field(
        180,
        ge=1,
        description="longest wait for the learners' place; more for nodes added on demand",
    )
    torch_threads: int = Field(0, ge=0, description="torch threads a learner; 0: cores / learners")
    zero_stage: Literal[1, 2, 3] = Field(1, description="DeepSpeed ZeRO stage")
    offload: Literal["none", "cpu"] = Field(
        "none", description="where DeepSpeed keeps optimiser state (and, at stage 3, parameters)"
    )
    micro_batch_tokens: int = Field(
        4096, ge=64, description="most padded tokens in one micro-batch"
    )
    share_prompts: bool = Field(
        False,
        description="compute a prompt once for the responses of its group in a micro-batch; not with gradient checkpointing",
    )
    max_gradient_norm: float = Field(1.0, gt=0, description="gradient clipping norm")
    weight_decay: float = Field(0.01, ge=0, description="AdamW weight decay")
    adam_beta2: float = Field(0.99, gt=0, lt=1, description="AdamW second-moment decay")


class RolloutConfig(Section):
    num_workers: int = Field(2, ge=1, description="rollout actors (RLlib EnvRunners)")
    cpus_per_worker: float = Field(0.25, ge=0, description="Ray CPUs a rollout actor reserves")
    gpus_per_worker: float = Field(0.0, ge=0, description="Ray GPUs a rollout actor reserves")
    nodes: str | None = Field(
        None,
        min_length=1,
        description="rollout actors run on nodes with this custom Ray resource; null: on any",
    )
    torch_threads: int = Field(1, ge=1, description="torch threads a rollout actor")
    timeout_s: float = Field(
        600.0,
        gt=0,
        description="longest wait for a rollout share before its worker is replaced, and for a worker to come back",
    )


class SftConfig(Section):
    epochs: float = Field(2.0, ge=0, description="passes over the training split")
    batch_size: int = Field(8, ge=1, description="examples an optimiser step")
    learning_rate: float = Field(3e-3, gt=0, description="peak AdamW learning rate")
    warmup_fraction: float = Field(
        0.05,
        ge=0,
        le=1,
        description="share of steps with linear warm-up; cosine to 10 % afterwards",
    )
    traces_per_example: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the examples also shown as a mistake, the tool's observation and the "
        "corrected circuit",
    )
    checkpoint_every: int = Field(100, ge=1, description="steps between checkpoints")


class CurriculumConfig(Section):
    balance: tuple[Literal["primitive", "qubits"], ...] = Field(
        (),
        description="prompts are drawn evenly over primitives, numbers of qubits, or pairs of both, "
        "not over rows; problems of a rare kind come more often",
    )
    start_qubits: int = Field(
        0, ge=0, description="most qubits of a problem at the first update; 0: all sizes"
    )
    widen_over: float = Field(
        0.5, gt=0, le=1, description="share of the updates until all sizes are in, one by one"
    )
    widen_at_reward: float | None = Field(
        None,
        description="mean reward of a step on the largest size that brings the next size early; "
        "null: by the schedule alone",
    )

    @field_validator("balance", mode="before")
    @classmethod
    def _one_is_a_list(cls, value):
        return (value,) if isinstance(value, str) else value


class ValidationConfig(Section):
    every: int = Field(
        0,
        ge=0,
        description="updates between validations on the validation split, with one before the first "
        "update and one after the last; 0: none",
    )
    num_problems: int = Field(
        256, ge=1, description="most problems of a validation, the split's first"
    )
    samples: int = Field(1, ge=1, description="completions a problem, drawn as in the evaluation")
    metric: Literal[
        "reward",
        "valid",
        "approximation_ratio",
        "optimum_probability",
        "decoded_correct",
        "at_least_reference",
    ] = Field("reward", description="evaluation metric that tells which weights are better")
    min_improvement: float = Field(
        0.0, ge=0, description="gain over the best value, in the metric's unit, that counts as one"
    )
    patience: int = Field(
        0, ge=0, description="validations in a row without a gain that end training; 0: none do"
    )
    result: Literal["best", "last"] = Field(
        "best", description="weights that training gives on; best: of the best validation"
    )


class GrpoConfig(Section):
    iterations: int = Field(120, ge=0, description="updates")
    prompts_per_step: int = Field(8, ge=1, description="distinct prompts an update")
    samples_per_prompt: int = Field(8, ge=2, description="rollouts a prompt: the group size")
    learning_rate: float = Field(3e-4, gt=0, description="AdamW learning rate after warm-up")
    final_learning_rate: float = Field(
        0.05,
        gt=0,
        le=1,
        description="share of the learning rate left at the last update; linear decay, 1: constant",
    )
    warmup_steps: int = Field(3, ge=0, description="linear warm-up, updates")
    clip_low: float = Field(0.2, gt=0, lt=1, description="lower clip of the probability ratio")
    clip_high: float = Field(0.28, gt=0, description="upper clip of the probability ratio")
    kl_coefficient: float = Field(
        0.0,
        ge=0,
        description="weight of the k3 KL to the frozen starting policy; 0: no reference model",
    )
    updates_per_batch: int = Field(1, ge=1, description="optimiser steps on one batch of rollouts")
    dual_clip: float = Field(
        0.0,
        ge=0,
        description="a token with a negative advantage costs at most this times its size; above 1, 0: no bound",
    )
    importance_cap: float = Field(
        2.0, ge=1, description="largest weight that corrects a token for the policy that sampled it"
    )
    entropy_coefficient: float = Field(0.0, ge=0, description="weight of the entropy bonus")
    advantage: Literal["grpo", "dr_grpo", "rloo", "reinforce_pp"] = Field(
        "grpo",
        description="grpo: within the group, over its spread; dr_grpo: not divided; rloo: against the others' mean; reinforce_pp: within the step",
    )
    aggregation: Literal["token", "sequence"] = Field(
        "token", description="the loss is a mean over all tokens, or over sequences of their means"
    )
    overlong_buffer_tokens: int = Field(
        0,
        ge=0,
        description="the last tokens below generation.max_response_tokens lower the reward by up to 1; 0: none do",
    )
    mask_cut_episodes: bool = Field(
        False, description="leave responses cut at the token limit out of the loss"
    )
    max_refills: int = Field(
        0,
        ge=0,
        description="rounds of further prompts a step in place of groups whose rewards are all equal; 0: such groups stay",
    )
    staleness: Literal[0, 1] = Field(
        0,
        description="1: rollouts of the next step are made while this step's update runs; 0: in turns, reproducible",
    )
    max_sampler_kl: float = Field(
        0.1,
        gt=0,
        description="KL of sampler and learner, nats a token, above which the run stops",
    )
    max_failed_fraction: float = Field(
        0.25,
        ge=0,
        le=1,
        description="share of failed verifications in a step above which the run stops",
    )
    max_empty_steps: int = Field(
        5, ge=1, description="steps in a row with nothing to train on after which the run stops"
    )
    curriculum: CurriculumConfig = Field(
        default_factory=CurriculumConfig, description="which problems are drawn, and when"
    )
    validation: ValidationConfig = Field(
        default_factory=ValidationConfig, description="validation within training"
    )
    checkpoint_every: int = Field(10, ge=1, description="updates between checkpoints")
    keep_checkpoints: int = Field(
        2, ge=1, description="newest checkpoints kept, beside that of the best validation"
    )

    @field_validator("dual_clip")
    @classmethod
    def _dual_clip_off_or_above_one(cls, value):
        if 0 < value <= 1:
            raise ValueError("must be above 1, or 0 for no bound")
        return value


class TrackingConfig(Section):
    uri: str | None = Field(
        None,
        description="MLflow tracking URI; null: MLFLOW_TRACKING_URI, else sqlite in the run directory",
    )
    experiment: str = Field("quasar", min_length=1, description="MLflow experiment")
    sample_circuits: int = Field(4, ge=0, description="sampled circuits logged at each checkpoint")


class EvaluationConfig(Section):
    num_problems: int = Field(
        120, ge=1, description="held-out problems of the main job's evaluation"
    )
    samples: int = Field(4, ge=1, description="completions a problem")
    temperature: float = Field(0.7, gt=0, description="sampling temperature of the evaluation")
    top_p: float = Field(0.9, gt=0, le=1, description="nucleus mass of the evaluation")
    device: DeviceName = Field(
        "fake_torino",
        description="device that circuits are compiled for, to count two-qubit gates and depth; none: not counted",
    )
    noise: bool = Field(
        False, description="run one circuit a problem, and its reference, under the device's noise"
    )
    random_draws: int = Field(
        8, ge=0, description="draws of random angles that each circuit is compared with; 0: none"
    )


class ServingConfig(Section):
    host: str = Field("127.0.0.1", description="address the endpoint listens on")
    port: int = Field(8000, ge=1, le=65535, description="port the endpoint listens on")
    num_replicas: int = Field(1, ge=1, description="replicas of the generator")
    num_verifiers: int = Field(1, ge=1, description="replicas of the verifier")
    cpus_per_replica: float = Field(0.5, ge=0, description="Ray CPUs a replica reserves")
    gpus_per_replica: float = Field(0.0, ge=0, description="Ray GPUs a replica reserves")
    samples: int = Field(
        4,
        ge=1,
        description="candidates a request draws unless it says otherwise; the best one is answered",
    )
    max_samples: int = Field(32, ge=1, description="most candidates that one request may ask for")
    max_turns: int = Field(4, ge=1, description="most model turns that one request may ask for")
    max_body_bytes: int = Field(200_000, ge=1000, description="largest request body")
    body_timeout_s: float = Field(10.0, gt=0, description="longest time for a body to come in")
    request_timeout_s: float = Field(120.0, gt=0, description="longest time for one request")
    keys_file: str | None = Field(
        None, description="file of API keys (quasar keys new); null: QUASAR_API_KEYS, or no keys"
    )
    allow_without_keys: bool = Field(
        False, description="listen on other addresses than loopback without any API key"
    )
    rate_limit_per_minute: float | None = Field(
        None, gt=0, description="requests a minute of one key; null: no limit"
    )
    rate_limit_burst: int = Field(10, ge=1, description="requests of one key at once")
    cors_origins: tuple[str, ...] = Field(
        (), description="origins whose pages may call the endpoint from a browser"
    )
    audit_log: str | None = Field(
        None, description="file for one JSON line a request, without bodies; null: none"
    )


class QuasarConfig(Section):
    """The whole tree."""

    run: RunConfig = Field(default_factory=RunConfig, description="name, place and seed of the run")
    cluster: ClusterConfig = Field(default_factory=ClusterConfig, description="the Ray cluster")
    dataset: DatasetConfig = Field(default_factory=DatasetConfig, description="solved examples")
    policy: PolicyConfig = Field(default_factory=PolicyConfig, description="the language model")
    generation: GenerationConfig = Field(
        default_factory=GenerationConfig, description="rollouts: sampling and limits"
    )
    verification: VerificationConfig = Field(
        default_factory=VerificationConfig, description="the quantum verification tool"
    )
    reward: RewardConfig = Field(default_factory=RewardConfig, description="from report to reward")
    learner: LearnerConfig = Field(default_factory=LearnerConfig, description="DeepSpeed learners")
    rollout: RolloutConfig = Field(default_factory=RolloutConfig, description="rollout actors")
    sft: SftConfig = Field(default_factory=SftConfig, description="supervised fine-tuning")
    grpo: GrpoConfig = Field(
        default_factory=GrpoConfig, description="group-relative policy optimisation"
    )
    tracking: TrackingConfig = Field(default_factory=TrackingConfig, description="MLflow")
    evaluation: EvaluationConfig = Field(
        default_factory=EvaluationConfig, description="the main job's evaluation"
    )
    serving: ServingConfig = Field(default_factory=ServingConfig, description="the endpoint")

    @model_validator(mode="after")
    def _noise_where_it_is_paid_for(self):
        if self.reward.weights.noise_aware_expectation and self.verification.noise.model == "none":
            raise ValueError(
                "reward.weights.noise_aware_expectation needs a noise model; set "
                "verification.noise.model, e.g. to depolarizing"
            )
        return self

    @model_validator(mode="after")
    def _limits_that_go_together(self):
        if self.learner.share_prompts and self.policy.gradient_checkpointing:
            raise ValueError(
                "learner.share_prompts needs the keys and values that gradient checkpointing drops; "
                "set one of learner.share_prompts, policy.gradient_checkpointing to false"
            )
        if self.grpo.validation.patience and not self.grpo.validation.every:
            raise ValueError(
                "grpo.validation.patience needs validations; set grpo.validation.every, e.g. to 20"
            )
        start = self.grpo.curriculum.start_qubits
        if 0 < start < self.dataset.min_qubits:
            raise ValueError(
                f"grpo.curriculum.start_qubits {start} is below dataset.min_qubits "
                f"{self.dataset.min_qubits}: there would be nothing to start with"
            )
        if self.grpo.overlong_buffer_tokens > self.generation.max_response_tokens:
            raise ValueError(
                f"grpo.overlong_buffer_tokens {self.grpo.overlong_buffer_tokens} is above "
                f"generation.max_response_tokens {self.generation.max_response_tokens}"
            )
        return self

    @property
    def run_directory(self) -> Path:
        """Absolute directory of this run."""
        return (Path(self.run.directory) / self.run.name).resolve()


def load_config(source: str | Path = "laptop", overrides: Sequence[str] = ()) -> QuasarConfig:
    """Load a preset by name or a YAML file by path, then apply `a.b=c` overrides (YAML values).

    Raises ConfigError (one line naming the key and the mend) for anything that is not valid.
    """
    tree = _read(source)
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key.strip():
            raise ConfigError(f"--set {override!r}: write it as section.key=value")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {override!r}: the value is not YAML") from error
        _put(tree, key.strip().split("."), value)
    return config_from_dict(tree)


def with_overrides(config: QuasarConfig, values: Mapping[str, Any]) -> QuasarConfig:
    """A copy of `config` with other values at dotted paths, validated like any config."""
    tree = config.model_dump()
    for path, value in values.items():
        _put(tree, path.split("."), value)
    return config_from_dict(tree)


def config_from_dict(tree: Any) -> QuasarConfig:
    """Validate a nested dict; raises ConfigError with every problem in one line."""
    if not isinstance(tree, dict):
        raise ConfigError("config: expected a mapping of sections at the top")
    try:
        return QuasarConfig.model_validate(_floats(tree, QuasarConfig))
    except ValidationError as error:
        raise ConfigError("config: " + "; ".join(_explain(e) for e in error.errors())) from None


def flatten(config: Section, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """(dotted path, value, description) of each leaf, in the order of the tree."""
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, Section):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, field.description or ""


def to_commented_yaml(config: Section, indent: int = 0) -> str:
    """YAML of the resolved tree with a comment on each value; `load_config` reads it back."""
    lines = []
    for name, field in type(config).model_fields.items():
        value, pad = getattr(config, name), "  " * indent
        if isinstance(value, Section):
            lines.append(f"{pad}{name}:  # {field.description}")
            lines.append(to_commented_yaml(value, indent + 1))
        else:
            plain = list(value) if isinstance(value, tuple) else value
            text = yaml.safe_dump(plain, default_flow_style=True, width=10_000).removesuffix(
                "...\n"
            )
            lines.append(f"{pad}{name}: {text.strip()}  # {field.description}")
    return "\n".join(lines)


def _read(source: str | Path) -> dict[str, Any]:
    if str(source) in PRESETS:
        text = resources.files("quasar").joinpath(f"presets/{source}.yaml").read_text("utf-8")
    else:
        path = Path(source)
        if not path.is_file():
            raise ConfigError(
                f"config {str(source)!r}: no such preset or file; presets: {', '.join(PRESETS)}"
            )
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"config {source}: not a readable text file") from error
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(f"config {source}{where}: not valid YAML") from error
    if tree is not None and not isinstance(tree, dict):
        raise ConfigError(f"config {source}: expected a mapping of sections at the top")
    return tree or {}


def _put(tree: Any, path: list[str], value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {'.'.join(path)}: '{name}' is a value, not a section")
    tree[path[-1]] = value


def _floats(tree: Any, model: type[Section]) -> Any:
    """YAML 1.1 reads 1e-6 as a string; give numeric fields their number back."""
    if not isinstance(tree, dict):
        return tree
    fixed = {}
    for name, value in tree.items():
        field = model.model_fields.get(name)
        annotation = field.annotation if field else None
        if isinstance(annotation, type) and issubclass(annotation, Section):
            value = _floats(value, annotation)
        elif annotation is float and isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = float(value)
        fixed[name] = value
    return fixed


def _explain(error: Any) -> str:
    path = [str(part) for part in error["loc"]]
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        section: Any = QuasarConfig
        for part in path[:-1]:
            section = section.model_fields[part].annotation
        near = difflib.get_close_matches(path[-1], section.model_fields, n=1, cutoff=0.5)
        everywhere = {p.rsplit(".", 1)[-1]: p for p, _, _ in flatten(QuasarConfig())}
        if near:
            hint = ".".join([*path[:-1], near[0]])
        else:
            other = difflib.get_close_matches(path[-1], everywhere, n=1, cutoff=0.6)
            hint = everywhere[other[0]] if other else None
        mend = f"did you mean '{hint}'?" if hint else f"valid: {', '.join(section.model_fields)}"
        return f"unknown key '{name}'; {mend}"
    return f"'{name}' = {error['input']!r}: {error['msg']}" if name else error["msg"]
