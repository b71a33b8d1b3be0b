"""Validation within training: the current weights' answers to held-out problems, graded.

The answers come from the rollout workers, which hold the weights already, and are those that
`quasar generate` would draw. They are graded by the run's verifiers, through a function that is
handed in, since evaluation stands above learning. The metric decides which step is the best so far,
and whether to stop.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from quasar.config import QuasarConfig, WeightsChoice
from quasar.datasets.io import read_records
from quasar.datasets.task_records import Record
from quasar.training.rllib.grpo import GRPO
from quasar.training.state import RunState
from quasar.verification.request import VerificationClient

# Values by metric name (`quasar.evaluation.summary`) of answers to problems; None: not defined.
Grade = Callable[
    [Sequence[tuple[Record, Sequence[str]]], VerificationClient],
    Mapping[str, float | None],
]


class Validation:
    """Validates a run; what it finds is kept in the run's state."""

    def __init__(
        self,
        config: QuasarConfig,
        problems_file: Path,
        grade: Grade,
        settings: WeightsChoice | None = None,
    ):
        """settings: by default those of GRPO. Raises InputError for a file without problems."""
        self.settings = settings or config.grpo.validation
        self._every = config.grpo.validation.every
        self._last = config.grpo.iterations
        records = read_records(problems_file, max_qubits=config.verification.max_qubits)
        self.records = records[: self.settings.num_problems]
        self.grade = grade

    def is_due(self, state: RunState) -> bool:
        """Before the first update, after each `every` updates, and after the last one."""
        return state.step % self._every == 0 or state.step == self._last

    def run(self, algorithm: GRPO) -> dict[str, float]:
        """Validate the weights that the workers hold and note it; metrics `validation/…`."""
        started = time.perf_counter()
        answers = algorithm.complete(self.records, samples=self.settings.samples)
        values = self.grade(list(zip(self.records, answers, strict=True)), algorithm.verifiers)
        note(algorithm.run_state, values.get(self.settings.metric), self.settings)
        defined = {f"validation/{k}": v for k, v in values.items() if v is not None}
        return defined | {"seconds/validation": time.perf_counter() - started}


def note(state: RunState, value: float | None, settings: WeightsChoice) -> None:
    """Enter the metric of the weights of `state.step`: is it the best, is it time to stop?

    value: None where no verification gave a grade, which then counts for nothing.
    """
    if value is None:
        return
    if state.best_value is None or value > state.best_value + settings.min_improvement:
        state.best_step, state.best_value, state.validations_since_best = state.step, value, 0
        return
    state.validations_since_best += 1
    if 0 < settings.patience <= state.validations_since_best:
        by = f" by more than {settings.min_improvement:g}" if settings.min_improvement else ""
        state.stopped = (
            f"validation/{settings.metric} did not rise{by} in {state.validations_since_best} "
            f"validations (best {state.best_value:.3f} after update {state.best_step})"
        )
