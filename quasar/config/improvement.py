"""Settings of self-improvement: sample, verify, optimise the best, imitate."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from quasar.config.learning import WeightsChoice
from quasar.config.section import RESUMES, Section


class ImproveConfig(Section):
    rounds: int = Field(
        default=2, ge=1, description="rounds of self-improvement", json_schema_extra=RESUMES
    )
    source: Literal["fresh", "train"] = Field(
        default="fresh",
        description="problems of a round; fresh: drawn anew from dataset.primitives and sizes, never "
        "one that the hash holds out; train: the training split in epochs",
    )
    problems: int = Field(default=256, ge=1, description="problems a round")
    ansatze: tuple[str, ...] = Field(
        default=(),
        description="ansatz families of fresh problems; empty: those of dataset.ansatze",
    )
    samples: int = Field(default=16, ge=1, description="answers a problem")
    temperature: float = Field(default=1.0, gt=0, description="sampling temperature of a round")
    choose: Literal["reward", "approximation_ratio"] = Field(
        default="reward",
        description="what the best answer to a problem has most of; the shorter one of equals",
    )
    optimise_evaluations: int = Field(
        default=50,
        ge=0,
        le=1000,
        description="gradient evaluations that the best answer's angles get before it competes once "
        "more; answers with a worked plan keep theirs; 0: none",
    )
    min_gain: float = Field(
        default=0.0,
        ge=0,
        description="least gain of the best answer over the mean of its group, in the unit of choose, "
        "to be imitated",
    )
    beat_trivial: bool = Field(
        default=True,
        description="imitate only what is optimal or has at least the approximation ratio of the answer "
        "that takes no learning: constant angles, else greedy and descent",
    )
    epochs: float = Field(default=2.0, gt=0, description="passes over a round's kept answers")
    batch_size: int = Field(default=16, ge=1, description="examples an optimiser step")
    teacher_share: float = Field(
        default=0.25,
        ge=0,
        lt=1,
        description="share of each step's examples that are the teacher's, as in sft, so that nothing is "
        "unlearned",
    )
    learning_rate: float = Field(default=3e-4, gt=0, description="peak AdamW learning rate")
    warmup_fraction: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="share of a round's steps with linear warm-up; cosine to 10 % afterwards",
    )
    validation: WeightsChoice = Field(
        default_factory=WeightsChoice,
        description="validation before the first round and after each, always on the same problems",
    )
    checkpoint_every: int = Field(
        default=100,
        ge=1,
        description="steps between checkpoints within a round",
        json_schema_extra=RESUMES,
    )

    @field_validator("ansatze", mode="before")
    @classmethod
    def _one_is_a_list(cls, value):
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _room_for_both(self):
        if self.teacher_share and not 0 < self.teacher_examples < self.batch_size:
            raise ValueError(
                f"improve.teacher_share {self.teacher_share:g} of improve.batch_size "
                f"{self.batch_size} is {self.teacher_examples} examples a step; both kinds need at "
                "least one: raise improve.batch_size or set improve.teacher_share=0"
            )
        return self

    @property
    def teacher_examples(self) -> int:
        """The teacher's examples among those of a step."""
        return round(self.teacher_share * self.batch_size)
