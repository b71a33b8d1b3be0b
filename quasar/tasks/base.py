"""What a task must say: its instances, what is right, and how that is told.

A task is one kind of thing that a program can be asked for, with an exact measure of how well it
does it. All else (reading the program under limits, time and memory, faults, the reward's weights,
training, evaluation) is the same for every task and lies elsewhere.

The measure is named parts, each in [0, 1]: 1 is exact, and the best answer that takes no skill, the
baseline of the instance's facts, scores 0. A part is a function of what the task measured; a new
part is one function and one declaration.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.circuits.qasm import Limits, read_qasm
from quasar.config.task_names import GRAPH_TASK
from quasar.errors import TaskError
from quasar.problems.base import ProblemInstance
from quasar.tasks.writing import Piece, Script

if TYPE_CHECKING:
    from quasar.problems.pauli import PauliSum
    from quasar.tasks.words import AskedInstance

PromptStyle = Literal["structured", "free", "compact"]
PromptMessages = list[dict[str, str]]
Facts = TypeVar("Facts")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class RewardPart(Generic[Found]):
    """A part of the reward: what it means, its default weight, and its value.

    value: takes what `Task.measure` gave (for graph problems: the report); gives the part, which is
    clipped to [0, 1].
    """

    meaning: str
    weight: float
    value: Callable[[Found], float]


@dataclass(frozen=True)
class TaskInstance:
    """One thing to be asked for. Immutable, picklable, hashable by content.

    content: plain JSON data, all that defines the instance beside its family; a task reads it by
    `facts`. A program answers it on `num_qubits` qubits.
    """

    task: str
    family: str
    num_qubits: int
    content: Mapping[str, Any]
    reference_circuit: str | None = field(default=None, compare=False)  # the teacher's answer

    @cached_property
    def key(self) -> str:
        """Hash of task, family and content: 16 hex digits. Equal keys are the same instance, and
        the key alone decides the split.
        """
        whole = {"t": self.task, "f": self.family, "n": self.num_qubits, "c": self.content}
        text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def primitive(self) -> str:
        """The family, under the name that graph problems have for theirs."""
        return self.family

    def __hash__(self) -> int:
        return hash(self.key)

    def __getstate__(self):
        names = (*self.__dataclass_fields__, "key")
        return {name: self.__dict__[name] for name in names if name in self.__dict__}

    def __setstate__(self, state):
        self.__dict__.update(state)


AnyInstance = ProblemInstance | TaskInstance
Instance = TypeVar("Instance", bound=AnyInstance)


def task_of(instance: AnyInstance) -> str:
    """The name of an instance's task."""
    return instance.task if isinstance(instance, TaskInstance) else GRAPH_TASK


FieldKind = Literal[
    "integer",  # a whole number
    "number",
    "numbers",  # a list of numbers, or one number for all
    "choice",  # one of `choices`
    "kets",  # a list of one of `choices` a qubit
    "angles",  # a list of [a, b] a qubit, radians
    "edges",  # a list of [qubit, qubit]
    "amplitudes",  # an object from ket to [re, im]
    "real_vector",  # a list of 2**n numbers
    "vector",  # a list of 2**n [re, im]
    "pauli_sum",  # text, `0.5*X0*X1 + -1*Z2`
    "pauli_strings",  # a list of strings as `+XZI`
]


@dataclass(frozen=True, slots=True)
class ContentField:
    """How a person states one field of an instance's content."""

    kind: FieldKind
    choices: tuple[str | int, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ContentForm:
    """How a person states an instance of a family.

    fields: of the content, by name; `parameters.field` lies in the object `parameters`. example:
    content that `Task.read` takes. num_qubits: of the example; None where the content says it.
    """

    fields: Mapping[str, ContentField]
    example: Mapping[str, Any]
    num_qubits: int | None = None


@dataclass(frozen=True)
class TaskSignals:
    """What a task found of one valid program.

    parts: by name, [0, 1]. figures: numbers for a person, the exact ones and the baseline's beside
    the program's. baseline: the answer that scores 0, in a word. headline: the figures in one line.
    advice: lines that say what to change, the most useful first, where they are asked for. drawing:
    what a person is shown, plain JSON data.
    """

    task: str
    version: str
    family: str
    parts: Mapping[str, float]
    success: bool
    figures: Mapping[str, float]
    baseline: str
    headline: str
    advice: tuple[str, ...] = ()
    drawing: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Nested plain dict, ready for JSON."""
        return asdict(self)


class Task(ABC, Generic[Instance, Facts, Found]):
    """One task. Stateless; a task's methods other than `read` may trust an instance that `generate`
    or `read` made.

    Facts: what is exact of an instance, worked out once and kept for a while on a worker, never
    sent. Found: what was measured of one circuit.
    """

    name: ClassVar[str]
    version: ClassVar[str]  # raise it when a grade changes
    summary: ClassVar[str]  # one sentence for listings
    families: Mapping[str, str]  # name -> one sentence
    parts: ClassVar[Mapping[str, RewardPart[Any]]]
    aims: ClassVar[tuple[str, ...]] = ()  # parts that the reference reaches; (): all
    # Whether answers are plain circuits, which the grammar of constrained decoding writes. False
    # where `read_program` takes more: such answers are decoded freely.
    in_grammar: ClassVar[bool] = True
    # Names of the standard gates that an answer may have; (): all.
    gates: ClassVar[tuple[str, ...]] = ()
    # Whether the optimise tool can lower an `objective` by the angles of its answers.
    tunable: ClassVar[bool] = False
    max_qubits: ClassVar[int]

    @abstractmethod
    def possible_qubits(self, family: str, at_most: int) -> tuple[int, ...]:
        """The sizes that `generate` can hit, ascending."""

    @abstractmethod
    def generate(self, rng: np.random.Generator, *, family: str, num_qubits: int) -> Instance:
        """A random instance of that family and size; instances are without end or exhausted by
        repeats.
        """

    @abstractmethod
    def read(
        self, family: str, content: Mapping[str, Any], *, num_qubits: int | None = None
    ) -> Instance:
        """The instance of a row or a request. Raises TaskError naming the field at fault."""

    def form(self, family: str) -> ContentForm | None:
        """How a person states an instance of the family; None: as JSON, like a drawn one."""
        return None

    def from_words(self, text: str) -> "AskedInstance | None":
        """What a person's request asks of this task; None where it is about something else.

        Raises TaskError where it is about this task and not understood (`quasar.tasks.words`).
        """
        return None

    @abstractmethod
    def prompt(self, instance: Instance, *, style: PromptStyle = "structured") -> PromptMessages:
        """What a model is asked. "free": in a person's words."""

    @abstractmethod
    def facts(self, instance: Instance) -> Facts:
        """Exact target and baseline."""

    def size_of(self, facts: Facts) -> int:
        """Bytes of the facts, about."""
        return 1 << 12

    def read_program(self, program: str, instance: Instance, limits: Limits) -> Circuit:
        """The program of an answer, under limits. Raises CircuitError where it is not one.

        The strict reader of circuits; a task that takes other programs has a reader of its own, and
        its `measure` takes what that gives.
        """
        return read_qasm(program, limits)

    @abstractmethod
    def measure(self, circuit: Circuit, facts: Facts) -> Found:
        """What there is to say of a circuit on the instance's qubits.

        Raises CircuitError where the task does not take such a circuit.
        """

    @abstractmethod
    def success(self, found: Found) -> bool:
        """What pass@k counts."""

    @abstractmethod
    def figures(self, found: Found) -> Mapping[str, float]:
        """As `TaskSignals.figures`."""

    @abstractmethod
    def headline(self, found: Found) -> str:
        """As `TaskSignals.headline`."""

    @abstractmethod
    def advice(self, found: Found) -> tuple[str, ...]:
        """As `TaskSignals.advice`; of bounded length."""

    @abstractmethod
    def baseline(self, facts: Facts) -> str:
        """As `TaskSignals.baseline`."""

    @abstractmethod
    def baseline_circuits(self, facts: Facts) -> Mapping[str, Circuit]:
        """The baseline as circuits by name, that of `baseline` first; each part of each is 0."""

    def rule(self, instance: Instance, facts: Facts) -> Circuit:
        """What the best rule answers that neither learns nor searches: a model has to beat it. The
        best trivial answer where none is known.
        """
        return self.baseline_circuits(facts)[self.baseline(facts)]

    @abstractmethod
    def reference(self, instance: Instance, facts: Facts) -> str:
        """The teacher's answer: OpenQASM 3."""

    def pieces(self, max_qubits: int) -> Iterable[Piece]:
        """Of its compact prompts and scripted answers, beside numbers and plain gates."""
        return ()

    def script(self, instance: Instance, *, decimals: int) -> Script | None:
        """What an answer to the compact prompt may say; None: any program. decimals: of angles.

        A `follow`ed script is a program that `read_program` takes, whatever is chosen.
        """
        return None

    def worked(self, instance: Instance, *, decimals: int) -> str | None:
        """The teacher's answer to the compact prompt, as the script writes it where there is one,
        angles with so many decimals; None where the teacher has none.
        """
        return self.reference(instance, self.facts(instance))

    def aimed(self, instance: Instance) -> Mapping[str, float]:
        """The parts that the reference reaches, and what each of them is at least."""
        return dict.fromkeys(self.aims or tuple(self.parts), 0.99)

    @abstractmethod
    def shortcuts(self, instance: Instance, facts: Facts) -> Mapping[str, Circuit]:
        """Tempting wrong answers by name: none has a part above 0, none succeeds."""

    def second_opinion(self, instance: Instance, circuit: Circuit, facts: Facts) -> str | None:
        """What an independent implementation finds wrong with what is measured of a circuit: a
        sentence, or "" where all agrees; None where there is none for this size.
        """
        return None

    def cost_baseline(self, facts: Facts) -> int:
        """Two-qubit gates of a good known answer, at least 1."""
        return 1

    def objective(self, facts: Facts) -> "PauliSum | None":
        """Of a task that is `tunable`: the observable whose mean is to be low."""
        return None

    def drawing(self, found: Found) -> Mapping[str, Any] | None:
        """As `TaskSignals.drawing`; of bounded size."""
        return None

    def warm_up(self) -> None:
        """Load and compile what the first measurement would otherwise wait for."""

    def grade(
        self,
        instance: Instance,
        circuit: Circuit,
        facts: Facts,
        *,
        diagnose: bool = False,
        draw: bool = False,
    ) -> TaskSignals:
        """The signals of one circuit. Raises as `measure` does."""
        found = self.measure(circuit, facts)
        return TaskSignals(
            task=self.name,
            version=self.version,
            family=instance.primitive,
            parts={name: clip(part.value(found)) for name, part in self.parts.items()},
            success=bool(self.success(found)),
            figures={name: float(value) for name, value in self.figures(found).items()},
            baseline=self.baseline(facts),
            headline=self.headline(found),
            advice=self.advice(found) if diagnose else (),
            drawing=self.drawing(found) if draw else None,
        )

    def require_family(self, family: Any) -> str:
        """The family's name. Raises TaskError for one that the task does not have."""
        if family not in self.families:
            raise TaskError(
                f"{self.name}: 'family' is {family!r}; valid: {', '.join(self.families)}"
            )
        return family

    def require_size(self, family: str, num_qubits: int) -> None:
        """Raises TaskError where `generate` has nothing of that family and size."""
        if num_qubits not in self.possible_qubits(family, num_qubits):
            raise TaskError(f"{self.name}: there is no {family} on {num_qubits} qubits")


def clip(value: float) -> float:
    """To [0, 1]; what is no number is 0."""
    return min(1.0, max(0.0, float(value))) if value == value else 0.0


def gain(value: float, baseline: float, best: float = 1.0) -> float:
    """(value − baseline)/(best − baseline), clipped to [0, 1]; 0 where there is no room."""
    room = best - baseline
    return 0.0 if abs(room) < 1e-9 else clip((value - baseline) / room)
