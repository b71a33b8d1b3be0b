"""Saved rollouts graded anew under another reward, without sampling.

Takes rows of `quasar.episodes.log`; gives a grade or a fault for each. Where the parts that a row
keeps suffice, the grade is their sum under the new weights; else what the policy wrote is put
through the loop of turns again, by an engine that repeats it, and through the verifiers.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from quasar.config import QuasarConfig, computed
from quasar.config.task_names import declared_parts
from quasar.episodes.log import Rollout
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.episodes.tools import Execute
from quasar.policy.engines.protocol import Completion, Sampling
from quasar.tasks.base import AnyInstance
from quasar.verification.report import Failed
from quasar.verification.request import ReportRequest, VerificationResult
from quasar.verification.reward import (
    FURTHER_CALLS,
    OPTIMISE_CALLS,
    Scored,
    ScoringResult,
    score_parts,
    with_call_cost,
    with_optimise_cost,
)


def saved_outcome(rollout: Rollout) -> ScoringResult:
    """What the run itself found."""
    if rollout.reward is None:
        kind, _, detail = (rollout.fault or "").partition(": ")
        return Failed(kind, detail)
    return Scored(rollout.reward, rollout.parts, rollout.weighted)


def reason_to_verify(rollout: Rollout, before: QuasarConfig, after: QuasarConfig) -> str:
    """Why a grade under `after` cannot be had from what the run `before` kept; "" where it can."""
    measured = {k: v for k, v in computed(after).items() if k.startswith("verification.")}
    there = computed(before)
    changed = [k for k, v in measured.items() if v != there[k]]
    if changed:
        return f"{changed[0]} is another"
    if before.reward.formula != after.reward.formula:
        return "reward.formula is another"
    if rollout.reward is None or after.reward.formula == "published":
        return ""
    weights = after.reward.weights
    for name in declared_parts(rollout.task):
        if name not in rollout.parts and weights.of(rollout.task, name):
            return f"the run did not measure {name}"
    for name, cost in (("call_cost", FURTHER_CALLS), ("optimise_cost", OPTIMISE_CALLS)):
        if getattr(after.reward, name) and _calls(rollout, cost, before) is None:
            return f"the run did not count what reward.{name} is taken for"
    return ""


def from_parts(rollout: Rollout, before: QuasarConfig, after: QuasarConfig) -> ScoringResult:
    """The outcome under `after`, of a rollout that need not be verified again."""
    if rollout.reward is None or after.reward.formula == "published":
        return saved_outcome(rollout)
    calls = (FURTHER_CALLS, OPTIMISE_CALLS)
    parts = {name: value for name, value in rollout.parts.items() if name not in calls}
    scored = score_parts(rollout.task, parts, after.reward.weights)
    further, optimised = (_calls(rollout, name, before) or 0 for name in calls)
    scored = with_call_cost(scored, num_calls=1 + further, cost=after.reward.call_cost)
    return with_optimise_cost(scored, num_calls=optimised, cost=after.reward.optimise_cost)


def verified(
    rollouts: Sequence[Rollout],
    find: Callable[[Rollout], AnyInstance],
    execute: Execute,
    config: QuasarConfig,
) -> list[ScoringResult]:
    """The outcomes under `config`, in order, with every turn verified again.

    find: the problem of a rollout; execute: of verifiers of `config`. A rollout ends after the
    turns that it has, or earlier where another verification finds a circuit good enough.
    """
    outcomes: dict[int, ScoringResult] = {}
    order = sorted(range(len(rollouts)), key=lambda i: len(rollouts[i].texts))
    for turns, places in groupby(order, key=lambda i: len(rollouts[i].texts)):
        tasks = {i: _task(i, rollouts[i], find(rollouts[i])) for i in places}
        generation = config.generation.model_copy(update={"max_turns": turns})
        runner = EpisodeRunner(
            _Repeating({i: (task, rollouts[i]) for i, task in tasks.items()}),
            verifying(_each_once(execute), config.reward, generation),
            generation=generation,
        )
        made = runner.run(list(tasks.values()), weights_version=0)
        outcomes |= {i: episode.outcome for i, episode in zip(tasks, made, strict=True)}
    return [outcomes[i] for i in range(len(rollouts))]


class _Repeating:
    """A `ChatEngine` that writes what was written before. Each turn is known by its seed."""

    def __init__(self, known: Mapping[int, tuple[EpisodeTask, Rollout]]):
        self._turns = {
            task.seed(turn): (rollout, turn)
            for task, rollout in known.values()
            for turn in range(len(rollout.texts))
        }

    def complete(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        earlier: Sequence[tuple[str, str]],
        seed: int,
        sampling: Sampling,
    ) -> Completion:
        """The turn that was asked for with this seed."""
        rollout, turn = self._turns[seed]
        is_last = turn + 1 == len(rollout.texts)
        return Completion(
            rollout.texts[turn],
            (),
            (),
            finished=rollout.finished or not is_last,
            # The count is of all turns: a rollout that was followed had room left.
            counted_tokens=rollout.tokens if is_last else 0,
        )


def _task(place: int, rollout: Rollout, problem: AnyInstance) -> EpisodeTask:
    return EpisodeTask(problem, rollout.prompt, rollout.group, rollout.sample, (place,))


def _each_once(execute: Execute) -> Execute:
    """Equal requests are answered once: a policy that is sure of itself repeats itself."""

    def answer(requests: Sequence[ReportRequest]) -> list[VerificationResult]:
        distinct = list(dict.fromkeys(requests))
        found = dict(zip(distinct, execute(distinct), strict=True))
        return [found[request] for request in requests]

    return answer


def _calls(rollout: Rollout, name: str, config: QuasarConfig) -> int | None:
    """How many calls of a kind that costs the rollout made; None where its row does not say. They
    are counted where they cost something.
    """
    if name in rollout.parts:
        return int(rollout.parts[name])
    reward, tools = config.reward, config.generation.tools
    if name == OPTIMISE_CALLS:
        return 0 if reward.optimise_cost or "optimise" not in tools else None
    if reward.call_cost:
        return 0
    return max(0, len(rollout.turn_rewards) - 1) if tools == ("verify",) else None
