"""What a run must remember to go on as if nothing had happened, and where it is kept.

`RunState` is everything beside weights and optimiser: all randomness is derived from (seed, step,
prompt, sample), so the step is the position of the sampler and of every random stream.
`CheckpointStore` writes each checkpoint beside its final place and renames it, so that a directory
that is there is complete; a kill in between leaves only a `.partial` directory.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from quasar.errors import CheckpointError
from quasar.system.disk import wait_for_room, when_there_is_room
from quasar.system.run_paths import WEIGHTS
from quasar.training.curriculum import Position

_STATE_FILE = "run_state.json"
_PARTIAL = ".partial"


@dataclass(slots=True)
class RunState:
    """Position of a training phase."""

    phase: str  # "sft", "improve" or "grpo"
    step: int = 0  # updates done
    next_prompt: int = 0  # of the next step: see `curriculum.Position`, as the two below (grpo)
    level: int = 0
    level_start: int = 0
    weights_version: int = 0  # of the weights that the learners hold
    empty_steps: int = 0  # steps in a row with nothing to train on
    seed: int = 0
    round: int = 0  # rounds done (improve)
    round_start: int = 0  # updates done before the round under way (improve)
    # Of the validations (improve, grpo), see `quasar.training.validation`.
    best_step: int | None = None  # whose weights had the best metric
    best_value: float | None = None
    validations_since_best: int = 0
    stopped: str = ""  # why training ended early; "" where it did not

    @property
    def position(self) -> Position:
        """Of the next step's prompts."""
        return Position(self.next_prompt, self.level, self.level_start)

    def move_to(self, position: Position) -> None:
        """Go on from another position."""
        self.next_prompt, self.level = position.next_prompt, position.level
        self.level_start = position.level_start


class CheckpointStore:
    """Checkpoints of one phase: `<directory>/step-000012/`, the newest `keep` and the best one."""

    def __init__(self, directory: Path, *, keep: int = 2):
        self.directory = directory
        self.keep = keep

    @contextmanager
    def writing(self, state: RunState, *, num_bytes: int = 0) -> Iterator[Path]:
        """Yields a fresh directory to fill; on leaving without error it becomes the checkpoint.

        num_bytes: what the filler will write; room for it is waited for. Raises CheckpointError
        where it cannot be written whole, StorageError where there is no room for it; what was there
        before stays.
        """
        final = self._place(state.step)
        partial = final.with_name(final.name + _PARTIAL)
        shutil.rmtree(partial, ignore_errors=True)
        # Before the learners write together: of those, the one that fails would leave the others.
        wait_for_room(final, num_bytes)
        try:
            partial.mkdir(parents=True)
            yield partial
            if not (partial / WEIGHTS / "config.json").is_file():
                raise CheckpointError(f"{partial}: the learner wrote no model; disk full?")
            with open(partial / _STATE_FILE, "w") as file:
                json.dump(asdict(state), file)
                file.flush()
                os.fsync(file.fileno())
        except BaseException as error:
            shutil.rmtree(partial, ignore_errors=True)  # its share of a full disk
            if isinstance(error, OSError):
                raise CheckpointError(
                    f"{final}: cannot be written ({error}); free space there and start again, the "
                    f"last good checkpoint is {self.latest() or 'none'}"
                ) from error
            raise
        self._remove(final)
        partial.rename(final)
        self._prune(state.best_step)

    def latest(self) -> Path | None:
        """The newest complete checkpoint, or None."""
        steps = self._complete()
        return steps[-1] if steps else None

    def best(self) -> Path | None:
        """The checkpoint with the best validation metric as the newest one knows it, or None."""
        latest = self.latest()
        step = read_state(latest).best_step if latest else None
        return self._place(step) if step is not None and self._is_complete(step) else None

    def _place(self, step: int) -> Path:
        return self.directory / f"step-{step:06d}"

    def _is_complete(self, step: int) -> bool:
        return (self._place(step) / _STATE_FILE).is_file()

    def _complete(self) -> list[Path]:
        found = self.directory.glob("step-*")
        return sorted(p for p in found if p.suffix != _PARTIAL and (p / _STATE_FILE).is_file())

    def _prune(self, best_step: int | None) -> None:
        for old in self._complete()[: -self.keep]:
            if best_step is None or old != self._place(best_step):
                self._remove(old)
        for partial in self.directory.glob(f"step-*{_PARTIAL}"):
            shutil.rmtree(partial, ignore_errors=True)

    def _remove(self, checkpoint: Path) -> None:
        """Renamed first: one that a kill left half removed must not look complete."""
        if checkpoint.exists():
            doomed = checkpoint.with_name(f"{checkpoint.name}.old{_PARTIAL}")
            shutil.rmtree(doomed, ignore_errors=True)
            checkpoint.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)


def read_state(checkpoint: Path) -> RunState:
    """The RunState of a checkpoint; raises CheckpointError if it is not one."""
    try:
        return RunState(**json.loads((checkpoint / _STATE_FILE).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{checkpoint}: not a checkpoint (no readable {_STATE_FILE})"
        ) from error


class StepLog:
    """One JSON line a step, appended; on resume, lines past the checkpoint are dropped."""

    def __init__(self, path: Path, *, resume_at: int = 0):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [row for row in self.read(path) if row["step"] <= resume_at]
        with open(path, "w") as file:
            file.writelines(json.dumps(row) + "\n" for row in kept)

    def append(self, step: int, metrics: dict[str, float]) -> None:
        """Add one step's metrics."""
        when_there_is_room(lambda: self._add(json.dumps({"step": step, **metrics})), self.path)

    def _add(self, line: str) -> None:
        """A line as a whole or not at all."""
        size = self.path.stat().st_size
        try:
            with open(self.path, "a") as file:
                file.write(line + "\n")
        except OSError:
            os.truncate(self.path, size)
            raise

    @staticmethod
    def read(path: Path) -> list[dict[str, float]]:
        """All steps in a file, a torn last line left out; empty where there is no file."""
        if not path.is_file():
            return []
        rows = []
        for line in path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
        return rows
