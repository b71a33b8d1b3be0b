"""An answer of the verification tool, printed for a person (rich).

What comes from the program or the problem is shown as plain text: no markup, no terminal codes.
"""

import json
from collections.abc import Iterable, Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from quasar.problems import ProblemInstance
from quasar.schema.verify import VerifyAnswer
from quasar.system.plain_text import printable
from quasar.tasks.base import TaskInstance, TaskSignals
from quasar.verification.observation import quality
from quasar.verification.report import Diagnosis, Outcome, VerificationReport

STAGES = ("syntax", "task", "distribution", "expectation", "optimisation", "noise")


def answer_text(answer: VerifyAnswer, problem: ProblemInstance | TaskInstance) -> Group:
    """The whole report: what was reached, each stage, what to fix, the reward, seconds."""
    report = answer.report
    parts: list[RenderableType] = [_headline(report, problem), _stages(report)]
    if report.task is not None:
        parts += _task(report.task)
    if report.distribution is not None:
        parts.append(_outcomes(report.distribution.most_probable))
    if report.diagnosis is not None:
        parts += _mending(report.diagnosis)
    reward = answer.reward
    return Group(*parts, reward_table(reward.parts, reward.weighted, reward.value))


def _headline(report: VerificationReport, problem: ProblemInstance | TaskInstance) -> Text:
    asked = f"{problem.primitive} on {report.num_qubits_expected} qubits"
    if report.error is not None:
        return plain_text(f"not valid for {asked} ({report.error.kind}): {report.error.message}")
    return plain_text(
        f"valid for {asked}: {report.num_gates} gates, {report.num_two_qubit_gates} of them on two "
        f"or more qubits, depth {report.depth}; reached: {report.reached}"
    )


def _stages(report: VerificationReport) -> Table:
    table = plain_table("stage", "result")
    table.add_column("ms", justify="right")
    found = {"syntax": "passed" if report.valid else "refused", **_results(report)}
    for stage in (*STAGES, "cost", "diagnosis"):
        result = found.get(stage)
        if result is None and stage in report.skipped:
            result = f"skipped: {report.skipped[stage]}"
        if result is not None:
            seconds = report.seconds.get(stage)
            table.add_row(
                stage, plain_text(result), "" if seconds is None else f"{1e3 * seconds:.2f}"
            )
    return table


def _results(report: VerificationReport) -> dict[str, str]:
    """What the stages beyond syntax found, those that ran."""
    found = {}
    if (d := report.distribution) is not None:
        found["distribution"] = (
            f"P(optimum) {d.optimum_probability:.4f} (uniform {d.uniform_optimum_probability:.4f})"
        )
        if d.feasible_probability is not None:
            found["distribution"] += f", feasible {d.feasible_probability:.4f}"
        if d.js_distance is not None:
            found["distribution"] += f", distance to the reference {d.js_distance:.4f}"
        if d.shots is not None:
            found["distribution"] += f"; {d.shots} samples"
    if (e := report.expectation) is not None:
        found["expectation"] = (
            f"energy {e.energy:.6g} in [{e.minimum:.6g}, {e.maximum:.6g}], approximation ratio "
            f"{e.approximation_ratio:.4f} (uniform {e.uniform_approximation_ratio:.4f})"
        )
        if e.truncation_error > 0.0:
            found["expectation"] += f"; truncation error about {e.truncation_error:.2g}"
    if (o := report.optimisation) is not None:
        found["optimisation"] = (
            f"warm start gain {o.gain:.4f}: ratio {o.approximation_ratio:.4f} after "
            f"{o.gradient_evaluations} gradients, random starts {o.random_approximation_ratio:.4f}"
        )
    if (noise := report.noise) is not None:
        found["noise"] = (
            f"{noise.model}: energy {noise.energy:.6g} ± {noise.standard_error:.2g}, "
            f"approximation ratio {noise.approximation_ratio:.4f}"
        )
    if report.task is not None and report.valid:
        found["task"] = ("success; " if report.task.success else "no success; ") + (
            report.task.headline
        )
    if (cost := report.cost) is not None:
        beside = "one QAOA layer" if report.task is None else "a good known answer"
        found["cost"] = (
            f"{cost.two_qubit_gates} two-qubit gates; {beside} has {cost.baseline_two_qubit_gates}"
        )
    if report.diagnosis is not None:
        found["diagnosis"] = f"nearest optimum {report.diagnosis.nearest_optimum}"
        if "gradient" in report.skipped:
            found["diagnosis"] += f"; no gradient: {report.skipped['gradient']}"
    return found


def _task(signals: TaskSignals) -> list[RenderableType]:
    """Figures beside those of the best trivial answer, and what to change."""
    if not signals.figures:
        return []
    table = plain_table("figure", "value")
    for name, value in signals.figures.items():
        table.add_row(plain_text(name.replace("_", " ")), f"{value:.6g}")
    return [table, *(plain_text(line) for line in signals.advice)]


def _outcomes(outcomes: Iterable[Outcome]) -> Table:
    table = plain_table("most probable", "P", "quality", "answer")
    for outcome in outcomes:
        answer = "" if outcome.answer is None else json.dumps(outcome.answer)
        p = f"{outcome.probability:.4f}"
        table.add_row(outcome.bitstring, p, quality(outcome), plain_text(answer))
    return table


def _mending(diagnosis: Diagnosis) -> list[Table]:
    tables = []
    if diagnosis.violated_terms:
        terms = plain_table("terms that cost", "mean", "wanted", "excess")
        for term in diagnosis.violated_terms:
            product = "*".join(f"Z{q}" for q in term.wires)
            terms.add_row(
                f"{term.coefficient:.4g}*{product}",
                f"{term.expectation_value:.3f}",
                str(term.optimal_value),
                f"{term.excess:.4g}",
            )
        tables.append(terms)
    if diagnosis.gradient:
        angles = plain_table("angle", "gate", "dE/dθ", "move")
        for slope in diagnosis.gradient:
            qubits = ", ".join(f"q{q}" for q in slope.qubits)
            gate = f"{slope.gate}({slope.value:.4g}) {qubits}"
            angles.add_row(f"#{slope.angle}", gate, f"{slope.derivative:.4g}", slope.move)
        tables.append(angles)
    return tables


def reward_table(parts: Mapping[str, float], weighted: Mapping[str, float], value: float) -> Table:
    """A reward and what it is made of, as in `Scored`."""
    table = plain_table("reward", "raw", "weighted")
    for name, share in weighted.items():
        raw = parts.get(name)
        table.add_row(plain_text(name), "" if raw is None else f"{raw:.4f}", f"{share:.4f}")
    table.add_row("sum", "", f"{value:.4f}")
    return table


def plain_table(*headings: str) -> Table:
    """A table with a line under its headings and no edge."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for heading in headings:
        table.add_column(heading)
    return table


def plain_text(text: str) -> Text:
    """One line without markup; a character that does not print becomes U+FFFD."""
    return Text(printable(text))
