"""What the model is told about its answer: a compact text made from the report.

Takes a report or a fault; gives a few short lines within a character limit, the most useful first.
It is read by the model only; rewards never come from text.
"""

import json

from quasar.verification.report import (
    AngleSlope,
    Diagnosis,
    DistributionSignals,
    Failed,
    OptimisedProgram,
    Outcome,
    VerificationReport,
    ViolatedTerm,
)

_NUM_OUTCOMES = 3
_NUM_ANGLES = 3
_NUM_TERMS = 3


def observation_text(result: VerificationReport | Failed, *, max_chars: int) -> str:
    """At most max_chars characters; whole lines as far as they fit, then a cut line."""
    lines = ["not verified: try again"] if isinstance(result, Failed) else _lines(result, max_chars)
    text = "\n".join(lines)
    return text if len(text) <= max_chars else text[: max(0, max_chars - 1)].rstrip() + "…"


def _lines(report: VerificationReport, max_chars: int) -> list[str]:
    if report.error is not None:
        return [f"invalid ({report.error.kind}): {report.error.message}"]
    if report.task is not None:
        size = f"{report.num_qubits} qubits, {report.num_gates} gates, depth {report.depth}"
        lines = [f"valid: {size}", report.task.headline, *report.task.advice]
        return [*_optimised_lines(report, max_chars), *lines]
    expectation, distribution = report.expectation, report.distribution
    assert expectation is not None
    assert distribution is not None
    lines = _optimised_lines(report, max_chars)
    lines += [
        f"valid: {report.num_qubits} qubits, {report.num_gates} gates, depth {report.depth}",
        f"energy {expectation.energy:.3g} (best {expectation.minimum:.3g}, "
        f"uniform {expectation.uniform_energy:.3g})",
        _optimum_line(distribution),
    ]
    if report.optimisation is not None:
        lines.append(f"warm start gain {report.optimisation.gain:.2f}")
    if report.diagnosis is not None:
        lines += _diagnosis_lines(report.diagnosis)
    lines += [_outcome_line(outcome) for outcome in distribution.most_probable[:_NUM_OUTCOMES]]
    return lines


def _optimised_lines(report: VerificationReport, max_chars: int) -> list[str]:
    """What the optimise tool did; the program where it takes at most half of the text, else the new
    parameters, so that the model can copy them.
    """
    found, distribution, expectation = report.optimised, report.distribution, report.expectation
    if found is None:
        reason = report.skipped.get("optimise")
        return [] if reason is None else [f"not optimised: {reason}"]
    if not found.improved:
        return [f"optimised: no better angles in {found.evaluations} evaluations"]
    if distribution is None or expectation is None:  # of a task
        headline = f"optimised: energy {found.energy_before:.5g} -> {found.energy:.5g}"
        return [headline, _new_values(found, max_chars)]
    headline = (
        f"optimised: energy {found.energy_before:.3g} -> {expectation.energy:.3g}, "
        f"ratio {found.approximation_ratio_before:.3f} -> {expectation.approximation_ratio:.3f}, "
        f"optimum probability {found.optimum_probability_before:.3f} -> "
        f"{distribution.optimum_probability:.3f}"
    )
    return [headline, _new_values(found, max_chars)]


def _new_values(found: OptimisedProgram, max_chars: int) -> str:
    if len(found.program) <= max_chars // 2:
        return found.program
    if found.family == "qaoa":
        return "now " + " ".join(f"{name}={value:g}" for name, value in found.parameters.items())
    return "angles now " + " ".join(f"{value:g}" for value in found.parameters.values())


def _optimum_line(distribution: DistributionSignals) -> str:
    line = (
        f"optimum probability {distribution.optimum_probability:.3f} "
        f"(uniform {distribution.uniform_optimum_probability:.3f})"
    )
    if distribution.feasible_probability is not None:
        line += f", feasible {distribution.feasible_probability:.3f}"
    return line


def _diagnosis_lines(diagnosis: Diagnosis) -> list[str]:
    lines = []
    steepest = sorted(diagnosis.gradient or (), key=lambda slope: -abs(slope.derivative))
    if steepest:
        lines.append("angles to move: " + ", ".join(map(angle_text, steepest[:_NUM_ANGLES])))
    terms = diagnosis.violated_terms[:_NUM_TERMS]
    if terms:
        lines.append("terms that cost: " + ", ".join(map(term_text, terms)))
    return lines


def angle_text(slope: AngleSlope) -> str:
    """One angle as the program writes it, its place, and what to do: `rz(0.5) q1 #3 lower`."""
    qubits = ",".join(f"q{q}" for q in slope.qubits)
    return f"{slope.gate}({slope.value:.4g}) {qubits} #{slope.angle} {slope.move}"


def term_text(term: ViolatedTerm) -> str:
    """One term as prompts write it, its mean and the wanted one: `0.5*Z0*Z1 at 0.20 not -1`."""
    product = "*".join(f"Z{q}" for q in term.wires)
    mean = round(term.expectation_value, 2) + 0.0  # no −0
    return f"{term.coefficient:.4g}*{product} at {mean:.2f} not {term.optimal_value}"


def quality(outcome: Outcome) -> str:
    """How good an outcome is, in a word or two."""
    if outcome.feasible is False:
        return "infeasible"
    return "optimal" if outcome.optimal else "not optimal"


def _outcome_line(outcome: Outcome) -> str:
    line = f"{outcome.bitstring} p={outcome.probability:.3f} {quality(outcome)}"
    if outcome.answer is not None:
        line += f" {json.dumps(outcome.answer, separators=(',', ':'))}"
    return line
