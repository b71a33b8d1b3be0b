"""A round's problems and the graded answers to them, by the actors of a GRPO run.

Takes problems; gives for each the samples that the rollout workers wrote, the best of them, the
same at better angles, and the answer that takes no learning. Answers are appended to a log as they
come, so that none is made twice, however often a round is interrupted.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from quasar.config import QuasarConfig, with_overrides
from quasar.datasets.fresh import FreshProblems
from quasar.datasets.io import read_problems, read_rows, write_json_rows, write_problems
from quasar.datasets.records import ProblemRecord
from quasar.episodes.episode import Episode
from quasar.errors import CheckpointError
from quasar.system.progress import progress_bar
from quasar.system.resumable import RowLog, model_digest, settings
from quasar.system.run_paths import ImprovePaths, partial
from quasar.training.examples import prompt_fits
from quasar.training.rllib.grpo import GRPO
from quasar.training.sampler import rollout_tasks, shuffled
from quasar.training.selection import GradedAnswer, GradedProblem, best_of, reason_to_drop
from quasar.training.state import RunState
from quasar.verification.optimiser import OptimisationRequest
from quasar.verification.report import Failed
from quasar.verification.request import VerificationRequest, VerificationResult
from quasar.verification.reward import score

# Random streams of round r are those of step 2^20 + r, apart from the steps of GRPO.
_ROUNDS = 1 << 20
_PLAN = "//"  # an optimised program has no comments: a plan would no longer go with it
# Settings that a round's answers depend on.
_THAT_COUNT = ("run.seed", "dataset.", "generation.", "verification.", "reward.", "improve.")


@dataclass(frozen=True, slots=True)
class Yardsticks:
    """What evaluation knows of answers, handed in, since it stands above learning.

    trivial: the answer that takes no learning, None where the family has none. is_asked: whether a
    text is of the family that the record's prompt names.
    """

    trivial: Callable[[ProblemRecord], str | None]
    is_asked: Callable[[ProblemRecord, str], bool]


def sampling(config: QuasarConfig) -> QuasarConfig:
    """The configuration of a round's actors: single turns, each graded by itself."""
    return with_overrides(
        config,
        {
            "generation.temperature": config.improve.temperature,
            "generation.max_turns": 1,
            "generation.tools": ("verify",),
            "verification.budget_s": 0.0,  # shared by those that are graded together
            "grpo.kl_coefficient": 0.0,
            "grpo.curriculum.start_qubits": 0,
        },
    )


def validation_problems(config: QuasarConfig, model: Path, paths: ImprovePaths) -> Path:
    """The file of fresh validation problems, drawn once."""
    if not paths.validation.is_file():
        number = config.improve.validation.num_problems
        write_problems(paths.validation, _fresh(config, model, "validation").records(0, number))
    return paths.validation


def _fresh(config: QuasarConfig, model: Path, split: str) -> FreshProblems:
    return FreshProblems(config, split=split, fits=prompt_fits(config, model))


class RoundAnswers:
    """What is asked and answered in a round. show: progress bars."""

    def __init__(
        self,
        config: QuasarConfig,
        *,
        model: Path,
        paths: ImprovePaths,
        train: Sequence[ProblemRecord],
        algorithm: GRPO,
        yardsticks: Yardsticks,
        show: bool,
    ):
        self.config, self.settings = config, config.improve
        self.model, self.paths, self.train = model, paths, train
        self.algorithm, self.yardsticks, self.show = algorithm, yardsticks, show

    @property
    def state(self) -> RunState:
        """The algorithm's."""
        return self.algorithm.run_state

    def problems(self, number: int) -> list[ProblemRecord]:
        """Those of a round (from 1)."""
        count, limit = self.settings.problems, self.config.verification.max_qubits
        first = (number - 1) * count
        if self.settings.source == "train":
            size, seed = len(self.train), self.config.run.seed
            places = (divmod(first + i, size) for i in range(count))
            return [self.train[shuffled(size, seed, _ROUNDS, epoch)[at]] for epoch, at in places]
        file = self.paths.problems(number)
        if not file.is_file():
            records = _fresh(self.config, self.model, "train").records(first, count)
            write_problems(file, records)
        return read_problems(file, max_qubits=limit)

    def answered(self, number: int, problems: Sequence[ProblemRecord]) -> list[GradedProblem]:
        """The graded answers of a round: those that are there, and those still to be made."""
        file = self.paths.samples(number)
        if not file.is_file():
            self._answer(number, problems, file)
        return [GradedProblem.from_dict(row) for _, row in read_rows(file)]

    def _answer(self, number: int, problems: Sequence[ProblemRecord], file: Path) -> None:
        state = self.state
        if state.step != state.round_start:
            raise CheckpointError(
                f"{file}: not there, and the weights have gone on since round {number} began; "
                f"delete {self.paths.directory} to start self-improvement anew"
            )
        fingerprint = {
            "model": model_digest(self.model),
            "problems": [record.problem.key for record in problems],
            "round": number,
            "updates": state.step,
            **settings(self.config, *_THAT_COUNT),
        }
        rollout, generation = self.config.rollout, self.config.generation
        together = generation.batch_size * rollout.num_workers
        chunk = max(1, together // self.settings.samples)
        name = f"round {number}: answers"
        with (
            RowLog(partial(file), fingerprint) as log,
            progress_bar(name, len(problems), done=log.num_done, show=self.show) as advance_to,
        ):
            for start in range(log.num_done, len(problems), chunk):
                indices = range(start, min(start + chunk, len(problems)))
                for answered in self._answers_of(number, problems, indices):
                    log.add(answered.to_dict())
                advance_to(indices.stop)
            write_json_rows(file, log.rows())
            log.remove()

    def _answers_of(
        self, number: int, problems: Sequence[ProblemRecord], indices: range
    ) -> Iterator[GradedProblem]:
        """Samples of some problems, then what is verified beside them."""
        config, chosen = self.config, [problems[i] for i in indices]
        self.algorithm.collector.revive()
        tasks = rollout_tasks(
            problems,
            indices,
            step=_ROUNDS + number,
            first_group=indices.start,
            samples=self.settings.samples,
            seed=config.run.seed,
            settings=config.dataset,
        )
        collected = self.algorithm.collector.collect(tasks)
        groups: list[list[GradedAnswer]] = [[] for _ in chosen]
        for episode in collected.episodes:
            groups[episode.group - indices.start].append(_graded(episode))
        best = [self._best(record, group) for record, group in zip(chosen, groups, strict=True)]
        started = time.perf_counter()
        optimised = self._optimised(chosen, best)
        spent = time.perf_counter() - started
        trivial = self._trivial(chosen)
        parts = {
            "sample": collected.seconds.get("generate", 0.0),
            "verify": collected.seconds.get("verify", 0.0)
            + time.perf_counter() - started - spent,
            "optimise": spent,
        }  # fmt: skip
        seconds = {name: value / len(chosen) for name, value in parts.items()}
        for i, record in enumerate(chosen):
            answer = optimised[i] or best[i]
            why = reason_to_drop(answer, groups[i], trivial[i], self.settings)
            yield GradedProblem(
                sample_index=record.sample_index,
                samples=tuple(groups[i]),
                best=best[i],
                optimised=optimised[i],
                trivial=trivial[i],
                kept=None if why or answer is None else answer.text,
                why=why,
                seconds=seconds,
            )

    def _optimised(
        self, records: Sequence[ProblemRecord], best: Sequence[GradedAnswer | None]
    ) -> list[GradedAnswer | None]:
        """The best answers at better angles, where that makes them better."""
        evaluations = self.settings.optimise_evaluations
        found: list[GradedAnswer | None] = [None] * len(records)
        asked = [
            (i, answer.text)
            for i, answer in enumerate(best)
            if evaluations and answer is not None and _PLAN not in answer.text
        ]
        requests = [
            OptimisationRequest(records[i].problem, text, evaluations=evaluations)
            for i, text in asked
        ]
        results = self.algorithm.verifiers.verify(requests)
        for (i, _), result in zip(asked, results, strict=True):
            made = None if isinstance(result, Failed) else result.optimised
            if made is None or not made.improved:
                continue
            answer = self._grade(made.program, result)
            alternatives = [a for a in (best[i], answer) if a is not None]
            better = self._best(records[i], alternatives)
            found[i] = answer if better == answer else None
        return found

    def _best(self, record: ProblemRecord, answers: Sequence[GradedAnswer]) -> GradedAnswer | None:
        return best_of(answers, self.settings, lambda text: self.yardsticks.is_asked(record, text))

    def _trivial(self, records: Sequence[ProblemRecord]) -> list[GradedAnswer | None]:
        texts = [self.yardsticks.trivial(record) for record in records]
        requests = [
            VerificationRequest(record.problem, text)
            for record, text in zip(records, texts, strict=True)
            if text is not None
        ]
        results = iter(self.algorithm.verifiers.verify(requests))
        graded = [None if text is None else self._grade(text, next(results)) for text in texts]
        return [answer if answer and answer.graded else None for answer in graded]

    def _grade(self, text: str, result: VerificationResult) -> GradedAnswer:
        if isinstance(result, Failed):
            return GradedAnswer.of(text, None, result)
        return GradedAnswer.of(text, result, score(result, self.config.reward))


def _graded(episode: Episode) -> GradedAnswer:
    return GradedAnswer.of(
        episode.texts[-1], episode.report, episode.outcome, finished=episode.finished
    )
