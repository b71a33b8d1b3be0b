"""Settings of the dataset: which problems are drawn, and which solved examples are kept."""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from quasar.config.section import RESUMES, Section
from quasar.config.task_names import GRAPH_TASK, task_names

# Who makes the circuits: the solver, the solver with an eye on what is read off, or the rule that made
# the published benchmark's references.
Teacher = Literal["solver", "readout", "published"]
# With that rule acceptance is its own, and angles have four decimals, unless set otherwise.
_PUBLISHED_DEFAULTS = {"min_improvement": 0.0, "angle_decimals": 4}

StyleName = Literal["published", "canonical"]  # of programs
_INSTANCES = re.compile(
    r"(?P<task>\w+)(/(?P<family>\w+))?(:(?P<least>\d{1,3})(-(?P<most>\d{1,3}))?)?"
)
_MOST_QUBITS = 100  # of an instance


class InstanceRange(NamedTuple):
    """An entry of `dataset.instances`: which instances of a task; family None: all of them."""

    family: str | None
    min_qubits: int
    max_qubits: int


class DatasetConfig(Section):
    tasks: tuple[str, ...] = Field(
        default=(GRAPH_TASK,),
        min_length=1,
        description="tasks to generate instances of, in equal shares (quasar tasks list); ising: graph problems",
    )
    instances: tuple[str, ...] = Field(
        default=(),
        description="of tasks but ising, TASK[/FAMILY][:QUBITS], e.g. stabiliser:2-4; a task that is not "
        "named has all its families on min_qubits to max_qubits",
    )
    primitives: tuple[str, ...] = Field(
        default=("vertex_cover", "hypermaxcut", "min_cut"),
        min_length=1,
        description="problem primitives to generate",
    )
    encoding: Literal["sound", "published"] = Field(
        default="sound",
        description="Hamiltonians of the primitives; published: the benchmark's, where they differ",
    )
    num_examples: int = Field(default=4000, ge=10, description="solved examples over all splits")
    min_qubits: int = Field(default=3, ge=2, le=16, description="fewest qubits of an instance")
    max_qubits: int = Field(default=6, ge=2, le=16, description="most qubits of an instance")
    ansatze: tuple[str, ...] = Field(
        default=("qaoa",),
        min_length=1,
        description="ansatz families to draw from for each problem; hardware_efficient: any of the nineteen",
    )
    teacher: Teacher = Field(
        default="solver",
        description="solver: circuits of the least energy; readout: QAOA's angles then drawn back together "
        "until the most probable bitstring is an optimum; published: as the rule makes them that "
        "made the benchmark's references (angle_decimals is then 4, min_improvement 0, unless set)",
    )
    layers: tuple[int, ...] = Field(
        default=(1,),
        min_length=1,
        description="numbers of layers to draw from (adaptive has always one)",
    )
    angle_decimals: int = Field(
        default=2, ge=1, le=8, description="decimals of the angles in emitted circuits"
    )
    min_improvement: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="least gain in approximation ratio over uniform sampling for an example to be kept",
    )
    min_approximation_ratio: float = Field(
        default=0.0, ge=0, le=1, description="least approximation ratio for an example to be kept"
    )
    min_enrichment: float = Field(
        default=0.0,
        ge=0,
        description="least probability of an optimum, in multiples of uniform sampling's, to be kept",
    )
    max_program_bytes: int = Field(
        default=18_000, ge=100, description="longest reference program (the published limit)"
    )
    prompts: Literal["structured", "free", "compact"] = Field(
        default="structured",
        description="prompts name encoding, Hamiltonian and ansatz; free: varied wordings that say "
        "no more than the published ones; compact: normalised Hamiltonian and ansatz alone, for small models",
    )
    constrained_ansatz: Literal["qaoa"] | None = Field(
        default=None,
        description="family that constrained canonical programs are held to where prompts are free and "
        "name none; null: any",
    )
    style: StyleName = Field(
        default="published",
        description="of reference programs: one gate a line; canonical: named parameters, each "
        "coefficient once, and gates on whole registers; with compact prompts tasks write their working",
    )
    validation_fraction: float = Field(
        default=0.05, gt=0, lt=0.5, description="share of problems (by hash) for validation"
    )
    test_fraction: float = Field(
        default=0.1, gt=0, lt=0.5, description="share of problems (by hash) held out for the test"
    )
    format: Literal["jsonl", "parquet"] = Field(
        default="jsonl", description="file format of the splits"
    )
    num_workers: int = Field(
        default=2, ge=1, description="processes that solve instances", json_schema_extra=RESUMES
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_teacher(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("teacher") == "published":
            return _PUBLISHED_DEFAULTS | values
        return values

    @field_validator("layers", "ansatze", "primitives", "tasks", "instances", mode="before")
    @classmethod
    def _one_is_a_list(cls, value):
        return (value,) if isinstance(value, (int, str)) else value

    @field_validator("tasks")
    @classmethod
    def _tasks_there_are(cls, value):
        for name in value:
            if name not in task_names():
                raise ValueError(f"unknown task {name!r}; valid: {', '.join(task_names())}")
        if len(set(value)) < len(value):
            raise ValueError("a task is named twice")
        return value

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

    @model_validator(mode="after")
    def _instances_that_can_be(self):
        for entry in self.instances:
            found = _INSTANCES.fullmatch(entry)
            if found is None:
                raise ValueError(f"instances: {entry!r} is not TASK[/FAMILY][:QUBITS]")
            if found["task"] not in self.tasks or found["task"] == GRAPH_TASK:
                others = [name for name in self.tasks if name != GRAPH_TASK]
                raise ValueError(
                    f"instances: {entry!r} must name a task of dataset.tasks other than "
                    f"{GRAPH_TASK}: {', '.join(others) or 'there is none'}"
                )
        for name, ranges in self.ranges.items():
            for range_ in ranges:
                if not 1 <= range_.min_qubits <= range_.max_qubits <= _MOST_QUBITS:
                    raise ValueError(
                        f"instances: qubits of {name} must ascend between 1 and {_MOST_QUBITS}"
                    )
        return self

    @property
    def ranges(self) -> Mapping[str, tuple[InstanceRange, ...]]:
        """The instances of each task but the graph problems."""
        found: dict[str, list[InstanceRange]] = {n: [] for n in self.tasks if n != GRAPH_TASK}
        for entry in self.instances:
            match = _INSTANCES.fullmatch(entry)
            assert match is not None  # checked
            least = int(match["least"] or self.min_qubits)
            most = int(match["most"] or match["least"] or self.max_qubits)
            found[match["task"]].append(InstanceRange(match["family"], least, most))
        every = InstanceRange(None, self.min_qubits, self.max_qubits)
        return {name: tuple(ranges) or (every,) for name, ranges in found.items()}

    @property
    def largest(self) -> int:
        """Most qubits of an instance of any task."""
        sizes = [range_.max_qubits for ranges in self.ranges.values() for range_ in ranges]
        return max([*sizes, self.max_qubits] if GRAPH_TASK in self.tasks else sizes)
