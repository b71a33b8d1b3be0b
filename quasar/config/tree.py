"""The whole tree of settings, and what must hold between its sections."""

from pathlib import Path

from pydantic import Field, model_validator

from quasar.config.dataset import DatasetConfig
from quasar.config.improvement import ImproveConfig
from quasar.config.learning import GrpoConfig, LearnerConfig, RolloutConfig, SftConfig
from quasar.config.policy import GenerationConfig, PolicyConfig, RemoteConfig
from quasar.config.section import RESUMES, Section
from quasar.config.services import (
    ClusterConfig,
    EvaluationConfig,
    RunConfig,
    ServingConfig,
    TrackingConfig,
)
from quasar.config.verification import RewardConfig, VerificationConfig


class QuasarConfig(Section):
    """The whole tree."""

    run: RunConfig = Field(default_factory=RunConfig, description="name, place and seed of the run")
    cluster: ClusterConfig = Field(
        default_factory=ClusterConfig, description="the Ray cluster", json_schema_extra=RESUMES
    )
    dataset: DatasetConfig = Field(default_factory=DatasetConfig, description="solved examples")
    policy: PolicyConfig = Field(default_factory=PolicyConfig, description="the language model")
    generation: GenerationConfig = Field(
        default_factory=GenerationConfig, description="rollouts: sampling and limits"
    )
    remote: RemoteConfig = Field(
        default_factory=RemoteConfig,
        description="a model behind an OpenAI-compatible server (quasar generate --endpoint)",
        json_schema_extra=RESUMES,
    )
    verification: VerificationConfig = Field(
        default_factory=VerificationConfig, description="the quantum verification tool"
    )
    reward: RewardConfig = Field(default_factory=RewardConfig, description="from report to reward")
    learner: LearnerConfig = Field(default_factory=LearnerConfig, description="DeepSpeed learners")
    rollout: RolloutConfig = Field(
        default_factory=RolloutConfig, description="rollout actors", json_schema_extra=RESUMES
    )
    sft: SftConfig = Field(default_factory=SftConfig, description="supervised fine-tuning")
    improve: ImproveConfig = Field(
        default_factory=ImproveConfig, description="self-improvement (quasar improve)"
    )
    grpo: GrpoConfig = Field(
        default_factory=GrpoConfig, description="group-relative policy optimisation"
    )
    tracking: TrackingConfig = Field(
        default_factory=TrackingConfig,
        description="where runs are logged",
        json_schema_extra=RESUMES,
    )
    evaluation: EvaluationConfig = Field(
        default_factory=EvaluationConfig, description="the main job's evaluation"
    )
    serving: ServingConfig = Field(
        default_factory=ServingConfig, description="the endpoint", json_schema_extra=RESUMES
    )

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

    @model_validator(mode="after")
    def _parts_that_have_weights(self):
        if self.grpo.advantage == "gdpo" and self.reward.formula == "published":
            raise ValueError(
                "grpo.advantage=gdpo weighs the parts of the hierarchical formula; set "
                "reward.formula=hierarchical, or another grpo.advantage"
            )
        return self

    @model_validator(mode="after")
    def _choices_that_a_grammar_leaves(self):
        if self.sft.loss == "choices" and not (
            self.generation.constrained
            and self.dataset.style == "canonical"
            and self.dataset.prompts != "free"
        ):
            raise ValueError(
                "sft.loss=choices learns what the grammar leaves open; set "
                "generation.constrained=true and dataset.style=canonical, with dataset.prompts "
                "that name the family (compact or structured), or sft.loss=all"
            )
        return self

    @model_validator(mode="after")
    def _revisions_that_are_streamed(self):
        if self.sft.stream.revisions and not self.sft.stream.examples:
            raise ValueError(
                "sft.stream.revisions is a share of streamed examples; set sft.stream.examples to "
                "their number, or sft.stream.revisions=0"
            )
        return self

    @model_validator(mode="after")
    def _streams_of_what_is_asked(self):
        if self.sft.stream.examples and (
            self.dataset.style != "canonical" or self.dataset.prompts != "compact"
        ):
            raise ValueError(
                "sft.stream.examples are compact prompts and canonical programs, which must be what "
                "the run asks for; set dataset.prompts=compact and dataset.style=canonical, or "
                "sft.stream.examples=0 to train on the dataset"
            )
        return self

    @model_validator(mode="after")
    def _what_graph_problems_alone_have(self):
        others = ", ".join(self.dataset.ranges)
        for setting, is_set, fix in (
            ("sft.traces_per_example", self.sft.traces_per_example > 0, "0"),
            ("reward.formula", self.reward.formula == "published", "hierarchical"),
        ):
            if others and is_set:
                raise ValueError(
                    f"{setting} is of graph problems alone, and dataset.tasks names {others}; set "
                    f"{setting}={fix}"
                )
        return self

    @model_validator(mode="after")
    def _traces_in_the_style_that_is_taught(self):
        if self.sft.traces_per_example and self.dataset.style == "canonical":
            raise ValueError(
                "sft.traces_per_example corrects programs of the style published, and dataset.style "
                "is canonical; set sft.traces_per_example=0 (sft.stream.revisions has two turns in "
                "canonical programs), or dataset.style=published"
            )
        return self

    @model_validator(mode="after")
    def _metrics_that_fresh_problems_have(self):
        if (
            self.improve.source == "fresh"
            and self.improve.validation.metric == "at_least_reference"
        ):
            raise ValueError(
                "improve.validation.metric at_least_reference needs references, which fresh problems "
                "have not; set improve.source=train or another metric"
            )
        return self

    @property
    def run_directory(self) -> Path:
        """Absolute directory of this run."""
        return (Path(self.run.directory) / self.run.name).resolve()
