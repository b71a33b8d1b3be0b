"""Settings of training: learners, rollout workers, supervised fine-tuning and GRPO."""

from typing import Literal

from pydantic import Field, field_validator

from quasar.config.section import Section


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
