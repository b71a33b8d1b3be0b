"""A taskset of verifiers: circuits for problems, with the tool's reward.

It is loaded by the name of a top-level module (`examples/verifiers/quasar_circuits.py` is one);
its problems are lines of a file, or are generated.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import verifiers.v1 as vf  # pyright: ignore[reportMissingImports]  # extra verifiers

from quasar.errors import InputError
from quasar.integrations.grading import Grader, unverified
from quasar.integrations.trl import circuit_row
from quasar.problems import get_problem
from quasar.schema.verify import Problem


class CircuitTaskData(vf.TaskData):
    """A prompt and its problem, as JSON."""

    problem: str


class CircuitTask(vf.Task[CircuitTaskData]):
    """One problem; the last reply is the answer."""

    @vf.reward
    async def parts(self, trace: vf.Trace) -> dict[str, float]:
        """The weighted parts of the reward; their sum is the reward.

        Raises VerificationError for a fault, which verifiers records as an error of the task.
        """
        return await asyncio.to_thread(_weighted, trace.last_reply, self.data.problem)


class CircuitTasksetConfig(vf.TasksetConfig):
    """Which problems, and how they are asked."""

    problems: Path | None = None
    """A file with a problem a line, in words or as JSON; unset: they are generated."""
    primitive: str = "max_cut"
    """Of generated problems, as `quasar problems list` names it."""
    count: int = 32
    """Of generated problems."""
    qubits: int = 4
    """Of generated problems."""
    seed: int = 0
    """Of generated problems."""
    style: str = "structured"
    """Of the prompt, as `dataset.prompts`."""


class CircuitTaskset(vf.Taskset[CircuitTask, CircuitTasksetConfig]):
    """Problems as tasks."""

    def load(self) -> Iterator[CircuitTask]:
        """A task a problem. Raises ProblemError or InputError for one that cannot be built."""
        for given in self._given():
            row = circuit_row(given, style=self.config.style)
            system = [m["content"] for m in row["prompt"] if m["role"] == "system"]
            asked = [m["content"] for m in row["prompt"] if m["role"] == "user"]
            yield CircuitTask(
                CircuitTaskData(
                    prompt="\n\n".join(asked),
                    system_prompt="\n\n".join(system) or None,
                    problem=row["problem"],
                ),
                self.config.task,
            )

    def _given(self) -> Iterator[object]:
        config = self.config
        if config.problems is None:
            rng = np.random.default_rng(config.seed)
            for _ in range(config.count):
                graph, attributes = get_problem(config.primitive).generate(rng, config.qubits)
                yield Problem(primitive=config.primitive, graph=graph, attributes=attributes)
            return
        try:
            lines = config.problems.read_text("utf-8").splitlines()
        except OSError as error:
            raise InputError(f"{config.problems}: cannot be read: {error.strerror}") from error
        for line in filter(None, map(str.strip, lines)):
            yield json.loads(line) if line.startswith("{") else line


_LOCK = threading.Lock()


def _weighted(text: str, problem: str) -> dict[str, float]:
    with _LOCK:  # episodes run beside each other, the verifier answers one call at a time
        ((report, graded),) = _grader().grade([text], [problem])
    if graded is None:
        raise unverified(report)
    return {name: value for name, value in graded.weighted.items() if value or name == "syntax"}


@cache
def _grader() -> Grader:
    return Grader()
