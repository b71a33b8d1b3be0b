"""Grading of whole problems through a verification client, many at once, in order.

Takes jobs (one problem with its texts and the names of its baselines) and a client; gives what was
graded in the order of the jobs, while only a few jobs are in flight. A sample whose verification
failed is a row with its fault, never a grade and never an error.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from quasar.config import QuasarConfig
from quasar.evaluation.baseline_names import SOLVER_OF_ALL, SOLVERS
from quasar.evaluation.hardware import SIDES
from quasar.evaluation.measure import (
    BaselineRequest,
    FactsRequest,
    HardwareRequest,
    Measurements,
    SampleRequest,
    TaskBaselineRequest,
)
from quasar.evaluation.measured_problem import known_facts
from quasar.evaluation.rows import Row, RowMaker
from quasar.problems.base import ProblemInstance
from quasar.tasks.base import AnyInstance, TaskInstance
from quasar.verification.report import Failed
from quasar.verification.request import TaskRequest, VerificationClient

MAX_THREADS = 64  # each waits for the verifiers on behalf of one problem


@dataclass(frozen=True)
class Job:
    """One problem with the texts to grade and the baselines to build and grade.

    family, layers: ansatz family and depth that the prompt names. index: of the row, so that what
    is drawn at random is the problem's own. seconds: that the texts took together, None: not known.
    """

    problem: AnyInstance
    texts: tuple[str, ...]
    family: str = "qaoa"
    layers: int = 1
    index: int = 0
    baselines: tuple[str, ...] = ()
    seconds: float | None = None

    def solver_seconds(self, name: str) -> float | None:
        """Of a baseline that has as many as the texts took; None for others."""
        if self.seconds is None or name not in SOLVERS:
            return None
        return self.seconds if name == SOLVER_OF_ALL else self.seconds / len(self.texts)


@dataclass(frozen=True)
class Graded:
    """What a job gave: a row a text, a row a baseline that exists for the problem, and so on."""

    rows: list[Row]
    baselines: dict[str, Row]
    facts: Row  # of `Aggregator.add`
    hardware: dict[str, Row | None] | None = None  # side -> `HardwareView.measure`


class ProblemGrader:
    """Grades jobs one by one, each in the thread that asks."""

    def __init__(self, client: VerificationClient, config: QuasarConfig):
        self._client = client
        self._config = config
        self._rows = RowMaker(config)
        evaluation = config.evaluation
        self._wanted = Measurements(device=evaluation.device, random_draws=evaluation.random_draws)

    def grade(self, job: Job) -> Graded:
        """Everything that the configuration wants of one problem."""
        if isinstance(job.problem, TaskInstance):
            return self._grade_task(job, job.problem)
        wanted = replace(self._wanted, family=job.family, layers=job.layers)
        seed = (self._config.run.seed, job.index)
        # They ask for more than `Verifies` has: the workers of every client hold a `Verifier`.
        requests: list[Any] = [
            FactsRequest(job.problem, wanted),
            *(SampleRequest(job.problem, text, wanted) for text in job.texts),
            *(self._baseline(job, name, seed, wanted) for name in job.baselines),
        ]
        facts, *results = self._client.verify(requests)
        count = len(job.texts)
        rows = [self._rows.row(result) for result in results[:count]]
        baselines = zip(job.baselines, results[count:], strict=True)
        return Graded(
            rows=rows,
            baselines={n: self._rows.row(found) for n, found in baselines if found is not None},
            facts=self._facts(job.problem, facts),
            hardware=self._hardware(job.problem, job.texts, rows)
            if self._config.evaluation.noise
            else None,
        )

    def _baseline(
        self, job: Job, name: str, seed: tuple[int, ...], wanted: Measurements
    ) -> BaselineRequest:
        assert not isinstance(job.problem, TaskInstance)
        evaluations = self._config.generation.optimise_evaluations
        seconds = job.solver_seconds(name)
        return BaselineRequest(job.problem, name, seed, evaluations, seconds, wanted)

    def _grade_task(self, job: Job, instance: TaskInstance) -> Graded:
        requests: list[Any] = [
            *(TaskRequest(instance, text, clock="processor") for text in job.texts),
            *(TaskBaselineRequest(instance, name) for name in job.baselines),
        ]
        results = self._client.verify(requests)
        count = len(job.texts)
        return Graded(
            rows=[self._rows.row(result) for result in results[:count]],
            baselines={
                name: self._rows.row(found)
                for name, found in zip(job.baselines, results[count:], strict=True)
            },
            facts={
                "task": instance.task,
                "primitive": instance.family,
                "num_qubits": instance.num_qubits,
            },
        )

    def _facts(self, problem: ProblemInstance, found: dict[str, Any] | Failed) -> Row:
        if isinstance(found, Failed):
            return known_facts(problem)
        return {**found, "worst": {**found["worst"], "reward": self._rows.worst_reward}}

    def _hardware(
        self, problem: ProblemInstance, answers: Sequence[str], rows: Sequence[Row]
    ) -> dict[str, Row | None]:
        """The first valid sample and the reference; None for a side that has none or failed."""
        text = next((t for t, row in zip(answers, rows, strict=True) if row["valid"]), None)
        texts = {"generated": text, "reference": None}
        asked = [side for side in SIDES if side == "reference" or text is not None]
        device = self._config.evaluation.device
        requests: list[Any] = [HardwareRequest(problem, device, texts[side]) for side in asked]
        results = self._client.verify(requests)
        found = {
            s: None if isinstance(r, Failed) else r for s, r in zip(asked, results, strict=True)
        }
        return {side: found.get(side) for side in SIDES}


def grade_all(
    jobs: Iterable[Job], *, client: VerificationClient, config: QuasarConfig
) -> Iterator[Graded]:
    """What each job gave, in the order of the jobs.

    Closing the iterator begins no further job; those in flight end with the client's requests.
    """
    grader = ProblemGrader(client, config)
    most = 2 * client.num_workers
    threads = ThreadPoolExecutor(min(most + 1, MAX_THREADS), thread_name_prefix="grade")
    waiting: deque[Future[Graded]] = deque()
    try:
        for job in jobs:
            waiting.append(threads.submit(grader.grade, job))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
