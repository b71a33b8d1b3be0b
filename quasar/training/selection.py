"""Which answer to a problem is imitated, and what a round of answers amounts to. Pure Python.

Takes graded answers; gives the best one, or why none is kept. A verification that failed is no
grade: such an answer is left out of every mean and never kept.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from quasar.config import ImproveConfig
from quasar.verification.report import VerificationReport
from quasar.verification.reward import Failed, ScoringResult

# Ratios are those of programs whose angles are rounded.
_EQUAL_RATIO = 1e-3
_EQUAL = 6  # decimals in which equal answers agree


@dataclass(frozen=True, slots=True)
class GradedAnswer:
    """A text and what verification found. An answer that is not valid has the ratio 0."""

    text: str
    graded: bool  # False: the verification failed
    valid: bool = False  # of a text that was not cut
    reward: float = 0.0
    approximation_ratio: float = 0.0
    optimal: bool = False  # the most probable bitstring is an optimum

    @classmethod
    def of(
        cls,
        text: str,
        report: VerificationReport | None,
        outcome: ScoringResult,
        *,
        finished: bool = True,
    ) -> "GradedAnswer":
        """From a report and its grade. finished: not cut at the token limit."""
        if report is None or isinstance(outcome, Failed):
            return cls(text, graded=False)
        found, measured = report.expectation, report.distribution
        return cls(
            text,
            graded=True,
            valid=report.valid and finished,
            reward=outcome.value,
            approximation_ratio=found.approximation_ratio if found else 0.0,
            optimal=bool(measured and measured.most_probable and measured.most_probable[0].optimal),
        )

    def value(self, settings: ImproveConfig) -> float:
        """What the best one has most of."""
        return self.reward if settings.choose == "reward" else self.approximation_ratio


@dataclass(frozen=True, slots=True)
class GradedProblem:
    """All that a round has of one problem; a row of `samples.jsonl`.

    best: of the samples; None where none is valid and of its family. optimised: `best` at better
    angles, None where there is none. trivial: the answer that takes no learning, None where the
    family has none. kept: the text to imitate, None where none is; why: the rule that dropped it.
    """

    sample_index: int
    samples: tuple[GradedAnswer, ...]
    best: GradedAnswer | None
    optimised: GradedAnswer | None
    trivial: GradedAnswer | None
    kept: str | None
    why: str
    seconds: Mapping[str, float]  # by part: its share of those of the problems beside it

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> "GradedProblem":
        """What `to_dict` gave."""
        names = ("best", "optimised", "trivial")
        answers = {name: row[name] and GradedAnswer(**row[name]) for name in names}
        samples = tuple(GradedAnswer(**found) for found in row["samples"])
        return cls(**{**row, **answers, "samples": samples})

    @property
    def chosen(self) -> GradedAnswer | None:
        """The best one, after it was optimised."""
        return self.optimised or self.best


def best_of(
    answers: Sequence[GradedAnswer], settings: ImproveConfig, is_asked: Callable[[str], bool]
) -> GradedAnswer | None:
    """The valid answer with the highest value, of equals the shortest; None where there is none.

    is_asked: whether a text is of the kind that was asked for; asked of the best ones only.
    """
    valid = [a for a in answers if a.graded and a.valid]
    valid.sort(key=lambda a: (-round(a.value(settings), _EQUAL), len(a.text), a.text))
    texts: dict[str, GradedAnswer] = {}
    for answer in valid:
        texts.setdefault(answer.text, answer)
    return next((answer for text, answer in texts.items() if is_asked(text)), None)


def reason_to_drop(
    chosen: GradedAnswer | None,
    samples: Sequence[GradedAnswer],
    trivial: GradedAnswer | None,
    settings: ImproveConfig,
) -> str:
    """The rule by which an answer is not imitated; "" where it is."""
    if chosen is None:
        return "not_valid"
    graded = [a.value(settings) for a in samples if a.graded]
    gain = chosen.value(settings) - sum(graded) / len(graded)
    if gain < settings.min_gain - 10**-_EQUAL:
        return "min_gain"
    if settings.beat_trivial and trivial is not None and not chosen.optimal:
        least = trivial.approximation_ratio - _EQUAL_RATIO
        if chosen.approximation_ratio < least:
            return "beat_trivial"
    return ""


def round_metrics(problems: Sequence[GradedProblem]) -> dict[str, float]:
    """Means over a round's problems: of all samples (`reward`), of the best of each group
    (`best/reward`), of the best after optimisation (`chosen/…`), of what takes no learning
    (`trivial/…`, over the problems that have it). A group without a valid answer counts with the
    best grade that it has.
    """
    samples = [a for p in problems for a in p.samples]
    graded = [a for a in samples if a.graded]
    kept = [p for p in problems if p.kept is not None]
    metrics = {
        "problems": float(len(problems)),
        "kept": float(len(kept)),
        "failed_fraction": 1.0 - len(graded) / max(1, len(samples)),
        "valid_fraction": _mean([a.valid for a in graded]),
    }
    dropped = Counter(p.why for p in problems if p.why)
    metrics |= {f"dropped/{why}": float(count) for why, count in sorted(dropped.items())}
    groups: dict[str, list[GradedAnswer]] = {
        "": graded,
        "best/": [a for p in problems if (a := p.best or _least_bad(p))],
        "chosen/": [a for p in problems if (a := p.chosen or _least_bad(p))],
        "trivial/": [p.trivial for p in problems if p.trivial is not None],
    }
    for prefix, answers in groups.items():
        if answers:
            metrics[f"{prefix}reward"] = _mean([a.reward for a in answers])
            metrics[f"{prefix}approximation_ratio"] = _mean(
                [a.approximation_ratio for a in answers]
            )
            metrics[f"{prefix}optimal"] = _mean([a.optimal for a in answers])
    parts = dict.fromkeys(name for p in problems for name in p.seconds)
    for name in parts:
        metrics[f"seconds/{name}"] = sum(p.seconds.get(name, 0.0) for p in problems)
    return metrics


def _least_bad(problem: GradedProblem) -> GradedAnswer | None:
    graded = [a for a in problem.samples if a.graded]
    return max(graded, key=lambda a: a.reward, default=None)


def _mean(values: Sequence[float]) -> float:
    return float(sum(values) / len(values)) if values else 0.0
