"""Seconds for the costly stages of one batch: who may spend them is planned before any is spent.

Takes requests and a way to run them; gives their results in order. The cheap stages of all
candidates run first and say what each costly stage would cost, by estimate (`stages.costly`). Then
the ledger grants stages, the most promising candidate first, while the budget lasts, and only
the candidates with a grant run again. So the same batch gets the same grades whichever worker is
faster, and a stage without a grant counts with its lower bound, 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from quasar.verification.report import VerificationReport, gain_over
from quasar.verification.request import ReportRequest, Request

VerifyBatch = Callable[[Sequence[Request[Any]]], list[Any]]


class Ledger:
    """A sum of seconds and what was granted of it."""

    def __init__(self, budget_s: float):
        self.budget_s = budget_s
        self.granted_s = 0.0

    def grant(self, seconds: float) -> bool:
        """Book the seconds where they still fit."""
        if self.granted_s + seconds > self.budget_s:
            return False
        self.granted_s += seconds
        return True


def run_within_budget(
    run: VerifyBatch, requests: Sequence[Request[Any]], budget_s: float
) -> list[Any]:
    """One value or fault for each request, in order. budget_s: of the whole batch; 0: no limit.

    Requests of other kinds, as those of an evaluation, are no candidates of a batch: no limit.
    """
    asked = [request for request in requests if isinstance(request, ReportRequest)]
    if budget_s == 0.0 or len(asked) < len(requests):
        return run(requests)
    nothing: frozenset[str] = frozenset()
    results = run([replace(request, granted=nothing) for request in asked])
    grants = plan(results, budget_s)
    chosen = [k for k, granted in enumerate(grants) if granted]
    again = run([replace(asked[k].settled(results[k]), granted=grants[k]) for k in chosen])
    for k, result in zip(chosen, again, strict=True):
        if isinstance(result, VerificationReport) and result.optimised is None:
            result = replace(result, optimised=results[k].optimised)
        results[k] = result
    return [_explained(result, grants[k], budget_s) for k, result in enumerate(results)]


def plan(results: Sequence[Any], budget_s: float) -> list[frozenset[str]]:
    """The costly stages granted to each candidate, from reports of the cheap stages alone.

    In order of promise (the expectation part), then of the batch; a stage that no longer fits is
    passed over for cheaper ones.
    """
    grants: list[set[str]] = [set() for _ in results]
    wishes = [
        (-_promise(result), k, name, seconds)
        for k, result in enumerate(results)
        if isinstance(result, VerificationReport)
        for name, seconds in result.estimated_s.items()
    ]
    ledger = Ledger(budget_s)
    for _, k, name, seconds in sorted(wishes, key=lambda wish: wish[:2]):
        if ledger.grant(seconds):
            grants[k].add(name)
    return [frozenset(granted) for granted in grants]


def _promise(report: VerificationReport) -> float:
    signals = report.expectation
    assert signals is not None  # only a valid program wishes for more
    return gain_over(signals.approximation_ratio, signals.uniform_approximation_ratio)


def _explained(result: Any, granted: frozenset[str], budget_s: float) -> Any:
    """The report with the reason of each stage that got no grant."""
    if not isinstance(result, VerificationReport):
        return result
    refused = {
        name: f"its {seconds:.2g} s were not left in the batch's budget of {budget_s:g} s"
        for name, seconds in result.estimated_s.items()
        if name not in granted
    }
    return replace(result, skipped={**result.skipped, **refused}) if refused else result
