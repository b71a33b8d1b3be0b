"""What is asked of a verifier, and how it is answered: with a value or a `Failed`, never an error.

A `VerificationRequest` asks for the report on one answer. Rooms above may ask for more of the same
answer, measured by the same worker in the same guarded call: any frozen, picklable object that
keeps the protocol `Request` will do (`quasar.evaluation.measure` has some).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from quasar.problems.base import ProblemInstance
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance
from quasar.verification.report import Failed, VerificationReport

Value = TypeVar("Value")
Value_co = TypeVar("Value_co", covariant=True)
# What `verification.time_limit_s` counts. "processor": time of the processor, so that no figure
# hangs on how busy the machine is; the wall clock then ends a request at five times that and 5 s.
Clock = Literal["wall", "processor"]


class VerifiesTasks(Protocol):
    """What answers to other tasks than graph problems are verified by."""

    def verify(
        self, instance: TaskInstance, text: str, *, diagnose: bool = False, draw: bool = False
    ) -> VerificationReport:
        """The report on one answer."""
        ...


class Verifies(Protocol):
    """What a worker needs of a verifier."""

    @property
    def tasks(self) -> VerifiesTasks:
        """For all tasks but graph problems."""
        ...

    def verify(
        self,
        problem: ProblemInstance,
        text: str,
        *,
        granted: frozenset[str] | None = None,
        diagnose: bool = False,
        draw: bool = False,
        published: bool = True,
    ) -> VerificationReport:
        """The report on one answer."""
        ...


class Request(Protocol[Value_co]):
    """One piece of guarded work on a worker."""

    @property
    def problem(self) -> ProblemInstance | TaskInstance:
        """Requests of one problem are kept together: it is worked out once."""
        ...

    @property
    def clock(self) -> Clock:
        """What the time limit counts."""
        ...

    def warm_up(self, verifier: Verifies) -> None:
        """Load what the first request of this kind would otherwise wait for, without limits."""
        ...

    def answer(self, verifier: Verifies) -> Value_co:
        """The value, which must be picklable; an exception becomes a `Failed`."""
        ...


@dataclass(frozen=True, slots=True)
class VerificationRequest:
    """One answer to verify: a problem, what the model wrote, and what to tell beside the grade."""

    problem: ProblemInstance
    text: str
    granted: frozenset[str] | None = None  # costly stages that may run; None: all
    diagnose: bool = False
    draw: bool = False
    published: bool = True  # with the published signals, where the verifier's formula has them
    clock: Clock = "wall"

    def warm_up(self, verifier: Verifies) -> None:
        """Nothing: `make_verifier` has."""

    def settled(self, report: VerificationReport) -> "VerificationRequest":
        """As it is asked once more after this report, with other grants."""
        return self

    def answer(self, verifier: Verifies) -> VerificationReport:
        """The report: the one place that calls a verifier."""
        return verifier.verify(
            self.problem,
            self.text,
            granted=self.granted,
            diagnose=self.diagnose,
            draw=self.draw,
            published=self.published,
        )


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """One answer to a task to verify: as `VerificationRequest` of a graph problem."""

    problem: TaskInstance
    text: str
    granted: frozenset[str] | None = None  # no stage of a task is costly
    diagnose: bool = False
    draw: bool = False
    clock: Clock = "wall"

    def warm_up(self, verifier: Verifies) -> None:
        """What the task compiles."""
        get_task(self.problem.task).warm_up()

    def settled(self, report: VerificationReport) -> "TaskRequest":
        """As it is asked once more after this report."""
        return self

    def answer(self, verifier: Verifies) -> VerificationReport:
        """The report."""
        return verifier.tasks.verify(
            self.problem, self.text, diagnose=self.diagnose, draw=self.draw
        )


ReportRequest = VerificationRequest | TaskRequest
VerificationResult = VerificationReport | Failed


def request_of(
    problem: ProblemInstance | TaskInstance,
    text: str,
    *,
    diagnose: bool = False,
    draw: bool = False,
) -> ReportRequest:
    """The request for the report on one answer, whatever the task."""
    if isinstance(problem, TaskInstance):
        return TaskRequest(problem, text, diagnose=diagnose, draw=draw)
    return VerificationRequest(problem, text, diagnose=diagnose, draw=draw)


class VerificationClient(Protocol):
    """Whoever has requests answered: a Ray pool of verifiers, or guarded processes of this machine.

    Safe to use from several threads.
    """

    @property
    def num_workers(self) -> int:
        """Requests that can be at work at once."""
        ...

    def verify(self, requests: Sequence[Request[Value]]) -> list[Value | Failed]:
        """One value or fault for each request, in order. Never raises for a bad answer."""
        ...


def answer_request(
    verifier: Verifies, request: Request[Value], *, memory_limit_mb: int
) -> Value | Failed:
    """The value, or the fault that kept us from one: nothing that a request does may escape."""
    try:
        return request.answer(verifier)
    except MemoryError:
        return Failed("memory", f"the verification needed more than {memory_limit_mb} MiB")
    except Exception as error:  # the boundary where faults become values
        return Failed("error", describe(error))


def describe(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
