"""The rollouts of a run on disk: `<run>/grpo/rollouts/step-000012.jsonl`, one JSON line a rollout.

Written at each update, read by `quasar rollouts` and by the report. What the rollouts of a group
share, the prompt, stands in the group's first row only.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from quasar.config.findings import finding_line
from quasar.config.task_names import GRAPH_TASK
from quasar.datasets.io import read_rows, write_json_rows
from quasar.episodes.episode import Episode
from quasar.errors import InputError
from quasar.system.garbage import collector_paused
from quasar.system.run_paths import RunPaths
from quasar.verification.report import VerificationReport
from quasar.verification.reward import Failed


class Findings(BaseModel):
    """What the verification of a rollout's last circuit found, in short; None: stage not run."""

    model_config = ConfigDict(frozen=True)

    reached: str  # the last stage that was passed
    error: str | None = None  # why the program is not valid
    error_line: int | None = None
    num_qubits: int | None = None
    num_gates: int = 0
    num_two_qubit_gates: int = 0
    depth: int = 0
    optimum_probability: float | None = None
    uniform_optimum_probability: float | None = None
    energy: float | None = None
    approximation_ratio: float | None = None
    uniform_approximation_ratio: float | None = None
    warm_start_gain: float | None = None
    approximation_ratio_before: float | None = None  # of the text, where a tool has optimised it
    most_probable: str | None = None  # bitstring, as in `Outcome`
    skipped: dict[str, str] = {}  # stage -> why
    success: bool | None = None  # of a task other than graph problems, as the next
    headline: str | None = None

    @classmethod
    def of(cls, report: VerificationReport) -> "Findings":
        """The short form of a report."""
        d, e, o = report.distribution, report.expectation, report.optimisation
        return cls(
            reached=report.reached,
            error=report.error and report.error.message,
            error_line=report.error and report.error.line,
            num_qubits=report.num_qubits,
            num_gates=report.num_gates,
            num_two_qubit_gates=report.num_two_qubit_gates,
            depth=report.depth,
            optimum_probability=d and d.optimum_probability,
            uniform_optimum_probability=d and d.uniform_optimum_probability,
            energy=e and e.energy,
            approximation_ratio=e and e.approximation_ratio,
            uniform_approximation_ratio=e and e.uniform_approximation_ratio,
            warm_start_gain=o and o.gain,
            approximation_ratio_before=report.optimised
            and report.optimised.approximation_ratio_before,
            most_probable=d.most_probable[0].bitstring if d and d.most_probable else None,
            skipped=dict(report.skipped),
            success=report.task and report.task.success,
            headline=report.task and report.task.headline,
        )


class Rollout(BaseModel):
    """One row: an episode without its token ids. Fields of the same name are those of `Episode`."""

    model_config = ConfigDict(frozen=True)

    group: int
    sample: int
    task: str = GRAPH_TASK
    primitive: str
    num_qubits: int
    problem_key: str
    weights_version: int  # of its last token
    prompt: tuple[dict[str, str], ...] = ()  # messages; in a file: of a group's first row only
    texts: tuple[str, ...]
    observations: tuple[str, ...]
    turn_rewards: tuple[float, ...]
    finished: bool
    tokens: int  # sampled
    # Updates between the weights that drew a token and those that learned from it
    token_age_mean: float = 0.0
    token_age_max: int = 0
    reward: float | None  # None: not graded
    advantage: float
    parts: dict[str, float] = {}  # of the reward, raw
    weighted: dict[str, float] = {}  # their sum is the reward
    fault: str | None = None  # why it was not graded
    findings: Findings | None = None  # None likewise

    @classmethod
    def of(
        cls, episode: Episode, advantage: float, *, trained_version: int | None = None
    ) -> "Rollout":
        """The row of an episode. trained_version: of the weights that learned from it; None: those
        that wrote it.
        """
        if trained_version is None:
            trained_version = episode.weights_version
        ages = episode.token_ages(trained_version)
        grade: dict[str, Any] = {"reward": None}
        if isinstance(episode.outcome, Failed):
            grade["fault"] = f"{episode.outcome.kind}: {episode.outcome.detail}"
        else:
            scored = episode.outcome.to_dict()
            grade = {"reward": scored.pop("value"), **scored}
        names = (
            "group",
            "sample",
            "task",
            "primitive",
            "num_qubits",
            "problem_key",
            "weights_version",
        )
        names += ("prompt", "texts", "observations", "turn_rewards", "finished")
        return cls(
            **{name: getattr(episode, name) for name in names},
            tokens=episode.counts.sampled,
            token_age_mean=ages.mean,
            token_age_max=ages.max,
            advantage=advantage,
            findings=episode.report and Findings.of(episode.report),
            **grade,
        )


def write_rollouts(
    path: Path,
    episodes: Sequence[Episode],
    advantages: Sequence[float],
    *,
    trained_version: int | None = None,
) -> None:
    """One row an episode, group by group; the file appears when it is whole.

    trained_version: of the weights that learned from them; None: those that wrote them.
    """
    with collector_paused():
        write_json_rows(path, _rows(episodes, advantages, trained_version))


def _rows(
    episodes: Sequence[Episode], advantages: Sequence[float], trained_version: int | None
) -> list[dict[str, Any]]:
    made = [
        Rollout.of(e, float(a), trained_version=trained_version)
        for e, a in zip(episodes, advantages, strict=True)
    ]
    made.sort(key=lambda row: (row.group, row.sample))
    rows = []
    for _, group in groupby(made, key=lambda row: row.group):
        for place, row in enumerate(group):
            # What is not there (no tool answer, no fault) is left out.
            written = row.model_dump(exclude_defaults=True)
            if place:
                written.pop("prompt", None)
            rows.append(written)
    return rows


def read_rollouts(path: Path) -> list[Rollout]:
    """All rows of a step's file, each with its group's prompt.

    Raises InputError, which names the line, for a row that cannot be read.
    """
    rows: list[Rollout] = []
    prompts: dict[int, tuple[dict[str, str], ...]] = {}
    for line, content in read_rows(path):
        try:
            row = Rollout.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            found = finding_line(".".join(map(str, first["loc"])), first)
            raise InputError(f"{path} line {line}: not a rollout: {found}") from error
        prompt = prompts.setdefault(row.group, row.prompt)
        rows.append(row.model_copy(update={"prompt": prompt}))
    if not rows:
        raise InputError(f"{path}: no rows")
    return rows


class RolloutLog:
    """The rollouts of one run."""

    def __init__(self, run: Path):
        """run: the run's directory. Raises InputError where it holds no rollouts."""
        self.run = run
        self.phase = RunPaths(run).grpo
        self.steps = sorted(
            int(path.stem.removeprefix("step-"))
            for path in self.phase.rollouts.glob("step-*.jsonl")
            if path.stem.removeprefix("step-").isdecimal()
        )
        if not self.steps:
            place = self.phase.rollouts.relative_to(run)
            what = f"no rollouts in {place}" if run.is_dir() else "no such run directory"
            raise InputError(f"{run}: {what}; give a run of `quasar train`")

    def path(self, step: int) -> Path:
        """The file of a step. Raises InputError, which says what steps there are, without one."""
        if step not in self.steps:
            raise InputError(
                f"{self.run}: no rollouts of step {step}; there are those of steps "
                f"{_ranges(self.steps)}"
            )
        return self.phase.rollouts_of(step)

    def read(self, step: int) -> list[Rollout]:
        """The rollouts of a step. Raises InputError."""
        return read_rollouts(self.path(step))


def extremes(rollouts: Sequence[Rollout]) -> dict[str, Rollout]:
    """The best, the median and the worst by reward, each rollout once; none that is not graded."""
    graded = [r for r in rollouts if r.reward is not None]
    graded.sort(key=lambda r: -(r.reward or 0.0))
    places = {"best": 0, "median": (len(graded) - 1) // 2, "worst": len(graded) - 1}
    found: dict[int, str] = {}
    for name, place in places.items():
        if graded:
            found.setdefault(place, name)
    return {name: graded[place] for place, name in found.items()}


def _ranges(steps: Sequence[int]) -> str:
    """[1, 2, 3, 7] → "1–3, 7"."""
    runs: list[list[int]] = []
    for step in steps:
        if runs and step == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], step]
        else:
            runs.append([step])
    return ", ".join("–".join(map(str, run)) for run in runs)
