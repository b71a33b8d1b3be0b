"""The rollouts of a run graded anew under another reward: `quasar rollouts rescore`.

Takes a run's configuration and the one to grade by; gives the `RewardChange`. What must be verified
again is kept in the run, step by step, under a name made from all that it depends on: an
interrupted call goes on from there, and a finished one is not done twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console

from quasar.config import QuasarConfig, computed
from quasar.datasets.io import read_records
from quasar.datasets.prompts import record_messages
from quasar.datasets.task_records import Record
from quasar.episodes.answers import unshared
from quasar.episodes.log import Rollout, RolloutLog
from quasar.episodes.replay import from_parts, reason_to_verify, saved_outcome, verified
from quasar.errors import ConfigError, InputError
from quasar.system.locks import held_file
from quasar.system.progress import progress_bar
from quasar.system.resumable import RowLog, digest_of, file_digest, settings
from quasar.system.run_paths import RunPaths
from quasar.tasks.base import AnyInstance
from quasar.training.algorithm.step_rewards import StepRewards
from quasar.training.reward_change import RewardChange, StepChange, reward_change
from quasar.verification.clients import open_verifiers
from quasar.verification.report import Failed
from quasar.verification.reward import Scored, ScoringResult

# What may be another; the rest is that of the run.
_CHANGEABLE = ("reward.", "verification.", "grpo.advantage")


@dataclass(frozen=True, slots=True)
class Rescored:
    """What came out, and how: how many rollouts were verified again, and why (""; none were)."""

    change: RewardChange
    verified: int
    why: str


def rescore(
    log: RolloutLog,
    before: QuasarConfig,
    after: QuasarConfig,
    *,
    steps: Sequence[int],
    workers: int,
    verify: bool = False,
) -> Rescored:
    """Grade the rollouts of these steps by `after`; `before` is the run's own configuration.

    verify: verify again even what could be had without it. Raises ConfigError where anything but
    the reward, the verification or the advantages is another, or nothing is; InputError for rows
    that cannot be read and problems that the run's training split does not have.
    """
    _require_another_reward(before, after, verify)
    reasons = {"--verify asks for it"} if verify else set()
    sizes, problems = {}, {}  # rollouts of each step; a step with each problem
    for step in steps:
        rows = log.read(step)
        sizes[step] = len(rows)
        problems |= {row.problem_key: step for row in rows}
        reasons |= {reason_to_verify(row, before, after) for row in rows} - {""}
    work = _Work(log, before, after, sizes, problems, workers)
    graded = work.verified() if reasons else work.from_parts()
    changes = [_change(rows, outcomes, before, after) for rows, outcomes in graded]
    count = sum(sizes.values()) if reasons else 0
    return Rescored(reward_change(changes), count, "; ".join(sorted(reasons)))


def _require_another_reward(before: QuasarConfig, after: QuasarConfig, verify: bool) -> None:
    there, here = computed(before), computed(after)
    differing = [k for k in here.keys() | there.keys() if here.get(k) != there.get(k)]
    others = sorted(k for k in differing if not k.startswith(_CHANGEABLE))
    if others:
        raise ConfigError(
            f"rollouts rescore: {others[0]} is another than the run's; only reward.*, "
            "verification.* and grpo.advantage may be, the rollouts being there"
        )
    if not differing and not verify:
        raise ConfigError(
            "rollouts rescore: nothing is another than in the run; give e.g. "
            "--set reward.weights.expectation=0.2, or --verify to grade as the run did"
        )


def _change(
    rows: Sequence[Rollout],
    outcomes: Sequence[ScoringResult],
    before: QuasarConfig,
    after: QuasarConfig,
) -> StepChange:
    old, new = (
        StepRewards.of(
            found,
            groups=[row.group for row in rows],
            tasks=[row.task for row in rows],
            sampled=[row.tokens for row in rows],
            settings=config.grpo,
            reward=config.reward,
            max_response_tokens=config.generation.max_response_tokens,
        )
        for found, config in (([saved_outcome(r) for r in rows], before), (outcomes, after))
    )
    return StepChange(
        old.groups,
        old.rewards - old.penalties,
        new.rewards - new.penalties,
        old.advantages(before.grpo),
        new.advantages(after.grpo),
    )


class _Work:
    """The rollouts to grade, step by step: of one step at a time, whatever the run's length."""

    def __init__(
        self,
        log: RolloutLog,
        before: QuasarConfig,
        after: QuasarConfig,
        sizes: Mapping[int, int],
        problems: Mapping[str, int],
        workers: int,
    ):
        """sizes: rollouts of each step; problems: a step that has each problem, by its key."""
        self.log, self.before, self.workers = log, before, workers
        self.sizes, self.problems = sizes, problems
        # Of a batch's shared budget there is none: who shared one is not known any more.
        self.after = after.model_copy(update={"verification": unshared(after.verification)})

    def from_parts(self) -> Iterator[tuple[list[Rollout], list[ScoringResult]]]:
        """The rollouts of each step with their outcomes, in order."""
        for step in self.sizes:
            rows = self.log.read(step)
            yield rows, [from_parts(row, self.before, self.after) for row in rows]

    def verified(self) -> Iterator[tuple[list[Rollout], list[ScoringResult]]]:
        """The same, verified again as far as that was not done before."""
        fingerprint = {
            "rollouts": {str(step): file_digest(self.log.path(step)) for step in self.sizes},
            **settings(self.after, "reward.", "verification."),
        }
        path = self.log.phase.rescored_as(digest_of(fingerprint))
        steps, sizes = list(self.sizes), list(self.sizes.values())
        with ExitStack() as stack:
            stack.enter_context(held_file(path))
            done = stack.enter_context(RowLog(path, fingerprint))
            for step, row in zip(steps, done.done(), strict=False):
                yield self.log.read(step), [_outcome(kept) for kept in row["outcomes"]]
            if done.num_done == len(steps):
                return
            problems = self._problems()
            verifiers = stack.enter_context(
                open_verifiers(
                    self.after, num_workers=self.workers, formula=self.after.reward.formula
                )
            )
            advance_to = stack.enter_context(
                progress_bar(
                    "verify",
                    sum(sizes),
                    done=sum(sizes[: done.num_done]),
                    show=Console(stderr=True).is_terminal,
                )
            )
            for number, step in list(enumerate(steps, start=1))[done.num_done :]:
                rows = self.log.read(step)
                outcomes = verified(
                    rows, lambda row: self._find(row, problems), verifiers.verify, self.after
                )
                done.add({"outcomes": [asdict(outcome) for outcome in outcomes]})
                advance_to(sum(sizes[:number]))
                yield rows, outcomes

    def _problems(self) -> dict[str, list[Record]]:
        """What the run was trained on, by the problem's key. Raises InputError where one of a
        rollout is not there.
        """
        file = RunPaths(self.log.run).split_file("train", self.before.dataset.format)
        found: dict[str, list[Record]] = {}
        for record in read_records(file, max_qubits=self.before.verification.max_qubits):
            found.setdefault(record.problem.key, []).append(record)
        for key, step in self.problems.items():
            if key not in found:
                raise InputError(
                    f"{self.log.path(step)}: problem {key} is not in {file}; give the run with the "
                    "dataset that it was trained on"
                )
        return found

    def _find(self, rollout: Rollout, problems: Mapping[str, Sequence[Record]]) -> AnyInstance:
        """The problem; of several rows with it that whose prompt was asked, for its reference."""
        records = problems[rollout.problem_key]
        if len(records) > 1:
            style, asked = self.before.dataset.prompts, list(rollout.prompt)
            records = [r for r in records if record_messages(r, style=style) == asked] or records
        return records[0].problem


def _outcome(kept: dict[str, Any]) -> ScoringResult:
    return Failed(**kept) if "kind" in kept else Scored(**kept)
