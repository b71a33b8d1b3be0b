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
from quasar.learning.curriculum import Position

_STATE_FILE = "run_state.json"
_PARTIAL = ".partial"


@dataclass(slots=True)
class RunState:
    """Position of a training phase."""

    phase: str  # "sft" or "grpo"
    step: int = 0  # updates done
    next_prompt: int = 0  # of the next step: see `curriculum.Position`, as the two below (grpo)
    level: int = 0
    level_start: int = 0
    weights_version: int = 0  # of the weights that the learners hold
    empty_steps: int = 0  # steps in a row with nothing to train on
    seed: int = 0

    @property
    def position(self) -> Position:
        """Of the next step's prompts."""
        return Position(self.next_prompt, self.level, self.level_start)

    def move_to(self, position: Position) -> None:
        """Go on from another position."""
        self.next_prompt, self.level = position.next_prompt, position.level
        self.level_start = position.level_start


class CheckpointStore:
    """Checkpoints of one phase: `<directory>/step-000012/`, the newest `keep` of them."""

    def __init__(self, directory: Path, *, keep: int = 2):
        self.directory = directory
        self.keep = keep

    @contextmanager
    def writing(self, state: RunState) -> Iterator[Path]:
        """Yields a fresh directory to fill; on leaving without error it becomes the checkpoint."""
        final = self.directory / f"step-{state.step:06d}"
        partial = final.with_name(final.name + _PARTIAL)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if not (partial / "huggingface" / "config.json").is_file():
            raise CheckpointError(f"{partial}: the learner wrote no model; disk full?")
        with open(partial / _STATE_FILE, "w") as file:
            json.dump(asdict(state), file)
            file.flush()
            os.fsync(file.fileno())
        if final.exists():
            shutil.rmtree(final)
        partial.rename(final)
        self._prune()

    def latest(self) -> Path | None:
        """The newest complete checkpoint, or None."""
        steps = self._complete()
        return steps[-1] if steps else None

    def _complete(self) -> list[Path]:
        found = self.directory.glob("step-*")
        return sorted(p for p in found if p.suffix != _PARTIAL and (p / _STATE_FILE).is_file())

    def _prune(self) -> None:
        for old in self._complete()[: -self.keep]:
            shutil.rmtree(old, ignore_errors=True)
        for partial in self.directory.glob(f"step-*{_PARTIAL}"):
            shutil.rmtree(partial, ignore_errors=True)


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
        with open(self.path, "a") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")

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
