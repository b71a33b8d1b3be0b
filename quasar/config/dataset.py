"""Settings of the dataset: which problems are drawn, and which solved examples are kept."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from quasar.config.section import Section


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
