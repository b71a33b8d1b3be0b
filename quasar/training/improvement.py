"""Self-improvement: rounds of sampling, verifying, optimising the best and imitating it.

Takes a model and where its problems come from; gives checkpoints as SFT and GRPO do. On the actors
of a GRPO run: rollout workers write, verifiers grade and optimise, learners imitate by the step of
supervised training, with a share of the teacher's examples.

Resumable at any moment. The problems of a round depend on the seed alone; its graded answers are
appended to a log as they come and never made twice; the state (updates done, round, where the round
began) is in each checkpoint, and there is one at each round's end.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from quasar.config import QuasarConfig
from quasar.datasets.io import read_problems
from quasar.datasets.records import ProblemRecord
from quasar.errors import TrainingError
from quasar.policy.models import load_chat
from quasar.system.progress import progress_bar
from quasar.system.run_paths import ImprovePaths
from quasar.training.algorithm.schedules import supervised_rate
from quasar.training.examples import EpochExamples, supervised_sequences, teacher_examples
from quasar.training.rllib.grpo import GRPO, GRPOConfig
from quasar.training.round_answers import RoundAnswers, Yardsticks, sampling
from quasar.training.selection import round_metrics
from quasar.training.sft import OnStep, supervised_step
from quasar.training.state import CheckpointStore, RunState, StepLog, read_state
from quasar.training.validation import Validation

OnRound = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True, slots=True)
class ImproveResult:
    """What self-improvement left."""

    last: Path  # newest checkpoint
    chosen: Path  # the checkpoint whose weights are the result
    rounds: int  # rounds done
    chosen_round: int  # 0: the starting model
    stopped: str  # why it ended before the configured number of rounds; "" where it did not


def result_of(config: QuasarConfig, paths: ImprovePaths) -> ImproveResult | None:
    """The result of one that has nothing left to do, else None."""
    store = CheckpointStore(paths.checkpoints, keep=1)
    last = store.latest()
    if last is None:
        return None
    state = read_state(last)
    if not _is_over(state, config):
        return None
    chosen = last
    if config.improve.validation.result == "best":
        chosen = store.best() or last
    return ImproveResult(last, chosen, state.round, read_state(chosen).round, state.stopped)


def improve(
    config: QuasarConfig,
    *,
    model_directory: Path,
    paths: ImprovePaths,
    train_file: Path | None,
    validation: Validation,
    yardsticks: Yardsticks,
    on_round: OnRound | None = None,
    on_step: OnStep | None = None,
    show: bool = False,
) -> ImproveResult:
    """Do the configured rounds, or those that are left.

    train_file: of the teacher's share and of `improve.source` train; None where neither is asked
    for. `on_round(round, metrics)` is called before the first round, with 0, and after each;
    `on_step(step, metrics)` after each update. show: progress bars. Ray must be up.
    """
    done = result_of(config, paths)
    if done is not None:
        return done
    work = _Improvement(
        config, model_directory, paths, train_file, validation, yardsticks, show=show
    )
    work.on_round, work.on_step = on_round, on_step
    try:
        work.run()
    finally:
        work.close()
    done = result_of(config, paths)
    assert done is not None  # written at the last round's end
    return done


def _is_over(state: RunState, config: QuasarConfig) -> bool:
    return state.round >= config.improve.rounds or bool(state.stopped)


class _Improvement:
    """The actors, and the rounds on them."""

    on_round: OnRound | None = None
    on_step: OnStep | None = None

    def __init__(
        self,
        config: QuasarConfig,
        model: Path,
        paths: ImprovePaths,
        train_file: Path | None,
        validation: Validation,
        yardsticks: Yardsticks,
        *,
        show: bool,
    ):
        self.config, self.settings = config, config.improve
        self.paths, self.validation, self.yardsticks = paths, validation, yardsticks
        self.show, self.chat = show, load_chat(model)
        limit = config.verification.max_qubits
        train = read_problems(train_file, max_qubits=limit) if train_file else []
        self.store = CheckpointStore(paths.checkpoints, keep=1)
        latest = self.store.latest()
        problems = paths.validation if train_file is None else train_file
        made = GRPOConfig().run(sampling(config), model_directory=model, problems_file=problems)
        self.algorithm = cast(GRPO, made.build_algo())
        self.state.phase = "improve"
        self.is_new = latest is None
        if latest is not None:
            self.algorithm.restore_from_path(str(latest))
        self.answers = RoundAnswers(
            config,
            model=model,
            paths=paths,
            train=train,
            algorithm=self.algorithm,
            yardsticks=yardsticks,
            show=show,
        )
        begun = -1 if self.is_new else self.state.round
        self.rounds = StepLog(paths.rounds, resume_at=begun)
        self.steps = StepLog(paths.steps, resume_at=self.state.step)
        self.teacher = None
        if self.settings.teacher_share:
            self.teacher = teacher_examples(
                config,
                train,
                model=model,
                first=self.state.step,
                per_step=self.settings.teacher_examples,
                skipped=config.sft.stream.examples,
            )

    @property
    def state(self) -> RunState:
        """The algorithm's, which its checkpoints keep."""
        return self.algorithm.run_state

    def close(self) -> None:
        """End the actors."""
        self.algorithm.stop()
        if self.teacher is not None:
            self.teacher.close()

    def run(self) -> None:
        """What is left to do."""
        if self.is_new:
            self._end_round(0, self._trivial_on_validation())
        while not _is_over(self.state, self.config):
            self._round()

    def _round(self) -> None:
        state, number = self.state, self.state.round + 1
        problems = self.answers.problems(number)
        answered = self.answers.answered(number, problems)
        metrics = round_metrics(answered)
        self._require_health(number, metrics)
        kept = [(r, a.kept) for r, a in zip(problems, answered, strict=True) if a.kept is not None]
        if kept:
            metrics |= self._imitate(number, kept)
            self.algorithm.publish()
            state.round, state.round_start = number, state.step
        else:
            reasons = ", ".join(
                f"{int(v)} by {k.partition('/')[2]}" for k, v in metrics.items() if "dropped" in k
            )
            state.stopped = f"round {number} kept none of {len(problems)} answers ({reasons})"
        self._end_round(number, metrics)

    def _require_health(self, number: int, metrics: dict[str, float]) -> None:
        limit = self.config.grpo.max_failed_fraction
        if metrics["failed_fraction"] > limit:
            raise TrainingError(
                f"round {number}: {metrics['failed_fraction']:.0%} of the verifications failed "
                f"(limit grpo.max_failed_fraction = {limit:.0%}); raise verification.time_limit_s "
                f"or verification.memory_limit_mb and delete {self.paths.samples(number)}"
            )

    # Imitation -----------------------------------------------------------------------------------

    def _imitate(self, number: int, kept: Sequence[tuple[ProblemRecord, str]]) -> dict[str, float]:
        """The updates of a round that are left; metrics of all of them."""
        settings, state = self.settings, self.state
        answered = [
            replace(record, problem=replace(record.problem, reference_circuit=text))
            for record, text in kept
        ]
        sequences = supervised_sequences(answered, self.chat, self.config)
        per_step = settings.batch_size - settings.teacher_examples
        own = EpochExamples(sequences, per_step=per_step, seed=self.config.run.seed + number)
        total = math.ceil(settings.epochs * len(sequences) / per_step)
        with progress_bar(
            f"round {number}: updates",
            total,
            done=state.step - state.round_start,
            show=self.show,
        ) as advance_to:
            while (step := state.step - state.round_start) < total:
                batch = own.batch(step)
                if self.teacher is not None:
                    batch = batch + self.teacher.batch(state.step)
                rate = supervised_rate(settings, step, total)
                started = time.perf_counter()
                metrics = supervised_step(self.algorithm.learner_group, batch, state, rate=rate)
                metrics["seconds"] = time.perf_counter() - started
                self.steps.append(state.step, metrics)
                if self.on_step is not None:
                    self.on_step(state.step, metrics)
                advance_to(step + 1)
                if (step + 1) % settings.checkpoint_every == 0 and step + 1 < total:
                    self._save()
        rows = [r for r in StepLog.read(self.paths.steps) if r["step"] > state.round_start]
        return {
            "imitated": float(len(sequences)),
            "updates": float(total),
            "loss": sum(row["loss"] for row in rows) / len(rows),
            "seconds/imitate": sum(row["seconds"] for row in rows),
        }

    # A round's end -------------------------------------------------------------------------------

    def _trivial_on_validation(self) -> dict[str, float]:
        """What answers that take no learning reach on the validation problems."""
        records = [r for r in self.validation.records if isinstance(r, ProblemRecord)]
        answers = [(r, [t]) for r in records if (t := self.yardsticks.trivial(r)) is not None]
        if not answers:
            return {}
        values = self.validation.grade(answers, self.algorithm.verifiers)
        return {f"validation_trivial/{k}": v for k, v in values.items() if v is not None}

    def _end_round(self, number: int, metrics: dict[str, float]) -> None:
        """Validation, report, checkpoint. The workers hold the learners' weights."""
        metrics = metrics | self.validation.run(self.algorithm)
        self.rounds.append(number, metrics)
        if self.on_round is not None:
            self.on_round(number, metrics)
        self._save()

    def _save(self) -> None:
        size = self.algorithm.learner_group.checkpoint_bytes()
        with self.store.writing(self.state, num_bytes=size) as directory:
            self.algorithm.save_to_path(str(directory))
