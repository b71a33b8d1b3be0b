"""Settings of training: learners, rollout workers, supervised fine-tuning and GRPO."""

from typing import Literal

from pydantic import Field, field_validator

from quasar.config.section import PLACE, RESUMES, Section


class LearnerConfig(Section):
    num_learners: int = Field(
        default=1,
        ge=1,
        description="learner actors (data-parallel ranks)",
        json_schema_extra=RESUMES,
    )
    cpus_per_learner: float = Field(
        default=0.5,
        gt=0,
        description="Ray CPUs a learner actor reserves",
        json_schema_extra=RESUMES,
    )
    gpus_per_learner: float = Field(
        default=0.0,
        ge=0,
        description="Ray GPUs a learner actor reserves",
        json_schema_extra=RESUMES,
    )
    nodes: str | None = Field(
        default=None,
        min_length=1,
        description="learner actors run on nodes with this custom Ray resource; null: on any",
        json_schema_extra=RESUMES,
    )
    start_timeout_s: int = Field(
        default=180,
        ge=1,
        description="longest wait for the learners' place; more for nodes added on demand",
        json_schema_extra=RESUMES,
    )
    torch_threads: int = Field(
        default=0,
        ge=0,
        description="torch threads a learner; 0: cores / learners",
        json_schema_extra=RESUMES,
    )
    zero_stage: Literal[1, 2, 3] = Field(
        default=1, description="DeepSpeed ZeRO stage", json_schema_extra=RESUMES
    )
    offload: Literal["none", "cpu"] = Field(
        default="none",
        description="where DeepSpeed keeps optimiser state (and, at stage 3, parameters)",
        json_schema_extra=RESUMES,
    )
    micro_batch_tokens: int = Field(
        default=4096,
        ge=64,
        description="most padded tokens in one micro-batch",
        json_schema_extra=RESUMES,
    )
    share_prompts: bool = Field(
        default=False,
        description="compute a prompt once for the responses of its group in a micro-batch; not with gradient checkpointing",
    )
    max_gradient_norm: float = Field(default=1.0, gt=0, description="gradient clipping norm")
    weight_decay: float = Field(default=0.01, ge=0, description="AdamW weight decay")
    adam_beta2: float = Field(default=0.99, gt=0, lt=1, description="AdamW second-moment decay")


class RolloutConfig(Section):
    num_workers: int = Field(default=2, ge=1, description="rollout actors (RLlib EnvRunners)")
    cpus_per_worker: float = Field(
        default=0.25, ge=0, description="Ray CPUs a rollout actor reserves"
    )
    gpus_per_worker: float = Field(
        default=0.0, ge=0, description="Ray GPUs a rollout actor reserves"
    )
    nodes: str | None = Field(
        default=None,
        min_length=1,
        description="rollout actors run on nodes with this custom Ray resource; null: on any",
    )
    torch_threads: int = Field(default=1, ge=1, description="torch threads a rollout actor")
    timeout_s: float = Field(
        default=600.0,
        gt=0,
        description="longest wait for a rollout share before its worker is replaced, and for a worker to come back",
    )
    max_attempts: int = Field(
        default=5,
        ge=1,
        description="times that a rollout share is given to a worker; lost so often, the run stops",
    )


class StreamConfig(Section):
    examples: int = Field(
        default=0,
        ge=0,
        description="examples made anew during training, none seen twice (compact prompts, canonical "
        "programs); 0: the training split in epochs",
    )
    fresh: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="share of new problems with an answer in closed form; the others are the training "
        "split's QAOA problems in other guises",
    )
    random_ising: float = Field(
        default=0.3, ge=0, le=1, description="share of random Ising models among the new problems"
    )
    ansatze: tuple[str, ...] = Field(
        default=("adaptive", "hardware_efficient"),
        min_length=1,
        description="families of the new problems' answers; such as prepare a basis state in closed form",
    )
    layers: tuple[int, ...] = Field(
        default=(1, 1, 2, 3, 4), min_length=1, description="numbers of layers of these answers"
    )
    improving: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of plans whose first pass has mistakes, which are not trained on, and an "
        "improving pass that makes them good",
    )
    revisions: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of examples of two turns: an imperfect answer, which is not trained on, what is said "
        "of it, and the improved one (generation.max_turns=2)",
    )
    num_workers: int = Field(
        default=1,
        ge=1,
        description="processes that make examples",
        json_schema_extra=RESUMES,
    )


class SftConfig(Section):
    stream: StreamConfig = Field(
        default_factory=StreamConfig, description="examples made anew during training"
    )
    loss: Literal["all", "choices"] = Field(
        default="all",
        description="answer tokens that are learned; choices: those that generation.constrained leaves "
        "open, over what is legal there; the model then writes nothing without it",
    )
    epochs: float = Field(default=2.0, ge=0, description="passes over the training split")
    batch_size: int = Field(default=8, ge=1, description="examples an optimiser step")
    learning_rate: float = Field(default=3e-3, gt=0, description="peak AdamW learning rate")
    warmup_fraction: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="share of steps with linear warm-up; cosine to 10 % afterwards",
    )
    traces_per_example: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the examples also shown as a mistake, the tool's observation and the "
        "corrected circuit",
    )
    checkpoint_every: int = Field(
        default=100, ge=1, description="steps between checkpoints", json_schema_extra=RESUMES
    )


class CurriculumConfig(Section):
    balance: tuple[Literal["task", "primitive", "qubits"], ...] = Field(
        default=(),
        description="prompts are drawn evenly over tasks, primitives (families of other tasks), numbers of "
        "qubits, or what is told apart by several of them, not over rows; problems of a rare kind come more often",
    )
    start_qubits: int = Field(
        default=0,
        ge=0,
        description="most qubits of a problem at the first update; 0: all sizes",
        json_schema_extra=RESUMES,
    )
    widen_over: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="share of the updates until all sizes are in, one by one",
    )
    widen_at_reward: float | None = Field(
        default=None,
        description="mean reward of a step on the largest size that brings the next size early; "
        "null: by the schedule alone",
    )

    @field_validator("balance", mode="before")
    @classmethod
    def _one_is_a_list(cls, value):
        return (value,) if isinstance(value, str) else value


class WeightsChoice(Section):
    num_problems: int = Field(
        default=256, ge=1, description="most problems of a validation, the split's first"
    )
    samples: int = Field(
        default=1, ge=1, description="completions a problem, drawn as in the evaluation"
    )
    metric: Literal[
        "reward",
        "valid",
        "approximation_ratio",
        "optimum_probability",
        "decoded_correct",
        "at_least_reference",
    ] = Field(default="reward", description="evaluation metric that tells which weights are better")
    min_improvement: float = Field(
        default=0.0,
        ge=0,
        description="gain over the best value, in the metric's unit, that counts as one",
    )
    patience: int = Field(
        default=0,
        ge=0,
        description="validations in a row without a gain that end training; 0: none do",
    )
    result: Literal["best", "last"] = Field(
        default="best", description="weights that training gives on; best: of the best validation"
    )


class ValidationConfig(WeightsChoice):
    every: int = Field(
        default=0,
        ge=0,
        description="updates between validations on the validation split, with one before the first "
        "update and one after the last; 0: none",
    )


class DistillationConfig(Section):
    teacher: str | None = Field(
        default=None,
        min_length=1,
        description="model directory or hub name, with the policy's tokenizer, that samples are also drawn towards; "
        "null: none",
        json_schema_extra=PLACE,
    )
    coefficient: float = Field(
        default=1.0,
        gt=0,
        description="what a token's advantage gains for each nat that the teacher finds it likelier than the policy",
    )
    with_rewards: bool = Field(
        default=True,
        description="false: the teacher alone is learned from, and rewards are only logged",
    )


class GrpoConfig(Section):
    iterations: int = Field(default=120, ge=0, description="updates")
    prompts_per_step: int = Field(default=8, ge=1, description="distinct prompts an update")
    samples_per_prompt: int = Field(
        default=8, ge=2, description="rollouts a prompt: the group size", json_schema_extra=RESUMES
    )
    fresh: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of prompts with a new problem of the training split in place of the row whose turn it is: of "
        "the same task, family and size, never seen in fine-tuning where a kind has many",
    )
    learning_rate: float = Field(
        default=3e-4,
        gt=0,
        description="AdamW learning rate after warm-up",
        json_schema_extra=RESUMES,
    )
    final_learning_rate: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="share of the learning rate left at the last update; linear decay, 1: constant",
    )
    warmup_steps: int = Field(
        default=20,
        ge=0,
        description="linear warm-up, updates; Adam begins without a second moment, and its first steps are noise",
    )
    clip_low: float = Field(
        default=0.2, gt=0, lt=1, description="lower clip of the probability ratio"
    )
    clip_high: float = Field(default=0.28, gt=0, description="upper clip of the probability ratio")
    kl_coefficient: float = Field(
        default=0.0,
        ge=0,
        description="weight of the k3 KL to the frozen starting policy; 0: no reference model",
    )
    updates_per_batch: int = Field(
        default=1, ge=1, description="optimiser steps on one batch of rollouts"
    )
    dual_clip: float = Field(
        default=0.0,
        ge=0,
        description="a token with a negative advantage costs at most this times its size; above 1, 0: no bound",
    )
    importance_cap: float = Field(
        default=2.0,
        ge=1,
        description="largest weight that corrects a token for the policy that sampled it",
    )
    entropy_coefficient: float = Field(default=0.0, ge=0, description="weight of the entropy bonus")
    advantage: Literal["grpo", "dr_grpo", "rloo", "reinforce_pp", "gdpo"] = Field(
        default="grpo",
        description="grpo: within the group, over its spread; dr_grpo: not divided; rloo: against the others' mean; reinforce_pp: within the step; "
        "gdpo: each part of the reward over its own spread in the group, summed by weight, over the step's spread",
    )
    aggregation: Literal["token", "sequence"] = Field(
        default="token",
        description="the loss is a mean over all tokens, or over sequences of their means",
    )
    overlong_buffer_tokens: int = Field(
        default=0,
        ge=0,
        description="the last tokens below generation.max_response_tokens lower the reward by up to 1; 0: none do",
    )
    mask_cut_episodes: bool = Field(
        default=False, description="leave responses cut at the token limit out of the loss"
    )
    max_refills: int = Field(
        default=0,
        ge=0,
        description="rounds of further prompts a step in place of groups whose rewards are all equal; 0: such groups stay",
    )
    staleness: int = Field(
        default=0,
        ge=0,
        description="most updates by which a token's weights may be older than those that learn from it: rollouts of so "
        "many further steps are made meanwhile, and go on with new weights; 0: in turns, reproducible",
        json_schema_extra=RESUMES,
    )
    max_sampler_kl: float = Field(
        default=0.1,
        gt=0,
        description="KL of sampler and learner, nats a token, above which the run stops",
        json_schema_extra=RESUMES,
    )
    max_failed_fraction: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="share of failed verifications in a step above which the run stops",
        json_schema_extra=RESUMES,
    )
    max_empty_steps: int = Field(
        default=5,
        ge=1,
        description="steps in a row with nothing to train on after which the run stops",
        json_schema_extra=RESUMES,
    )
    curriculum: CurriculumConfig = Field(
        default_factory=CurriculumConfig, description="which problems are drawn, and when"
    )
    distillation: DistillationConfig = Field(
        default_factory=DistillationConfig, description="a teacher beside the rewards"
    )
    validation: ValidationConfig = Field(
        default_factory=ValidationConfig, description="validation within training"
    )
    checkpoint_every: int = Field(
        default=10, ge=1, description="updates between checkpoints", json_schema_extra=RESUMES
    )
    keep_checkpoints: int = Field(
        default=2,
        ge=1,
        description="newest checkpoints kept, beside that of the best validation",
        json_schema_extra=RESUMES,
    )

    @field_validator("dual_clip")
    @classmethod
    def _dual_clip_off_or_above_one(cls, value):
        if 0 < value <= 1:
            raise ValueError("must be above 1, or 0 for no bound")
        return value
