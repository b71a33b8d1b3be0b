"""Training data for other trainers from saved rollouts: best answers, and preference pairs.

Takes rows of `quasar.episodes.log` with their steps; gives plain rows in the layout that TRL reads:
`messages`, or `prompt`, `chosen` and `rejected`, each a list of chat messages. Answers to one
prompt are compared whatever the step; equal answers are one, with the grade that it had last. What
was not graded, or cut at a token limit, is no answer.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from quasar.episodes.log import Rollout
from quasar.errors import InputError

Exported = Mapping[str, Any]
_DECIMALS = 6  # in which equal rewards agree


class RankedAnswers:
    """The answers to each prompt, best first, of equals the shortest.

    min_reward: least reward of an answer that is to be learned; None: any of a valid program.
    """

    def __init__(self, rollouts: Iterable[tuple[int, Rollout]], *, min_reward: float | None = None):
        self.min_reward = min_reward
        self._of: dict[tuple[tuple[str, str], ...], dict[Any, tuple[int, Rollout]]] = {}
        for step, rollout in rollouts:
            if rollout.reward is None or not rollout.finished:
                continue
            prompt = tuple((m["role"], m["content"]) for m in rollout.prompt)
            said = (rollout.texts, rollout.observations)
            self._of.setdefault(prompt, {})[said] = step, rollout

    @property
    def num_prompts(self) -> int:
        """Distinct prompts with an answer."""
        return len(self._of)

    def best(self, number: int) -> Iterator[Exported]:
        """For supervised training: at most so many answers to each prompt, valid programs all."""
        for answers in self._ranked():
            for step, rollout in [a for a in answers if self._is_good(a[1])][:number]:
                messages = [*rollout.prompt, *conversation(rollout)]
                yield {"messages": messages, "reward": rollout.reward, **_origin(step, rollout)}

    def pairs(self, number: int, *, least_gap: float) -> Iterator[Exported]:
        """For preference training: at most so many pairs of each prompt, the best answer with the
        worst, the second best with the second worst, …; each at least `least_gap` of reward apart.
        """
        for answers in self._ranked():
            for (step, good), (_, bad) in list(zip(answers, reversed(answers), strict=True))[
                :number
            ]:
                gap = (good.reward or 0.0) - (bad.reward or 0.0)
                if gap <= 0 or round(gap - least_gap, _DECIMALS) < 0 or not self._is_good(good):
                    break
                yield {
                    "prompt": list(good.prompt),
                    "chosen": conversation(good),
                    "rejected": conversation(bad),
                    "chosen_reward": good.reward,
                    "rejected_reward": bad.reward,
                    **_origin(step, good),
                }

    def _ranked(self) -> Iterator[list[tuple[int, Rollout]]]:
        for found in self._of.values():
            yield sorted(
                found.values(),
                key=lambda a: (-round(a[1].reward or 0.0, _DECIMALS), len("".join(a[1].texts))),
            )

    def _is_good(self, rollout: Rollout) -> bool:
        """Whether it may be learned from."""
        valid = rollout.findings is None or rollout.findings.error is None
        return valid and (self.min_reward is None or (rollout.reward or 0.0) >= self.min_reward)


def conversation(rollout: Rollout) -> list[dict[str, str]]:
    """What followed the prompt: turns and what was observed after each, the last one a turn."""
    messages = []
    for place, text in enumerate(rollout.texts):
        messages.append({"role": "assistant", "content": text})
        if place < len(rollout.observations):
            messages.append({"role": "tool", "content": rollout.observations[place]})
    return messages


def require_some(rows: list[Exported], answers: RankedAnswers, *, source: object) -> None:
    """Raises InputError, which says what to change, where there is nothing to write."""
    if not rows:
        raise InputError(
            f"{source}: none of the {answers.num_prompts} prompts with a finished, graded answer "
            "has what is asked for; lower --min-reward or --least-gap, or take more steps"
        )


def _origin(step: int, rollout: Rollout) -> dict[str, Any]:
    return {
        "task": rollout.task,
        "primitive": rollout.primitive,
        "num_qubits": rollout.num_qubits,
        "problem_key": rollout.problem_key,
        "step": step,
    }
