"""The search of an endpoint and its answer, told on a terminal (rich).

What the endpoint sends is shown as plain text, cut to a length: no markup, no terminal codes. What
draws circuits (Qiskit) is loaded when there is an answer to show.
"""

import json
from itertools import islice

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from quasar.client import CircuitAnswer, Event
from quasar.config import VerificationConfig
from quasar.schema.circuits import Started, TurnGrown, TurnVerified, TurnWritten
from quasar.system.plain_text import one_line, printable_lines

_MAX_ROWS = 20
_MAX_CHARS = 400  # of one cell
_MAX_LINES = 400  # of the program


class Progress:
    """Tells the events of one search."""

    def __init__(self) -> None:
        self._characters = 0  # that the model has written in this turn

    def told(self, event: Event) -> tuple[Text | None, Text | None]:
        """A line about the event, and what is being waited for now; None where there is none."""
        if isinstance(event, Started):
            problem = event.problem
            line = (
                f"{problem.primitive} on {_counted(problem.num_qubits, 'qubit')}: "
                f"{_counted(event.samples, 'candidate')} a turn, {_counted(event.turns, 'turn')}, "
                f"seed {event.seed}, model {event.model}"
            )
            return _plain(line), _plain("the model writes")
        if isinstance(event, TurnGrown):
            self._characters += sum(len(piece.text) for piece in event.pieces)
            return None, _plain(
                f"turn {event.turn}: the model writes, {self._characters:,} characters"
            )
        if isinstance(event, TurnWritten):
            self._characters = 0
            return None, _plain(f"turn {event.turn}: the tool verifies")
        if isinstance(event, TurnVerified):
            valid = sum(candidate.valid for candidate in event.candidates)
            best = event.best.reward if event.best else None
            line = (
                f"turn {event.turn}: {_counted(len(event.candidates), 'candidate')}, "
                f"{valid} valid, best reward {'–' if best is None else f'{best:.3f}'}"
            )
            return _plain(line), _plain("the model writes")
        return None, None


def answer_text(answer: CircuitAnswer, verification: VerificationConfig, *, width: int) -> Group:
    """The whole answer: what it says, how good it is, the circuit drawn, the program.

    width: columns of the terminal. The limits of `verification` hold for the program that is drawn.
    """
    parts: list[RenderableType] = [_plain(answer.message)]
    parts += [_plain(f"note: {warning}") for warning in answer.warnings]
    if not answer.valid:
        return Group(*parts, *_findings(answer))
    parts += ["", _facts(answer), "", _reward(answer)]
    drawing = _drawing(answer.circuit or "", verification, width=width)
    if drawing is not None:
        parts.append(Padding(Text(drawing, no_wrap=True, overflow="crop"), (1, 0, 1, 0)))
    lines = printable_lines(answer.circuit or "")
    parts += [Text(line) for line in lines[:_MAX_LINES]]
    if len(lines) > _MAX_LINES:
        parts.append(_plain(f"… {len(lines) - _MAX_LINES} more lines: --output or --qasm"))
    return Group(*parts)


def _facts(answer: CircuitAnswer) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    if answer.success is not None:
        found = "done" if answer.success else "not done"
        table.add_row(_plain(answer.problem.task.replace("_", " ")), _plain(found))
        table.add_row("found", _plain(answer.headline or ""))
        facts: dict[str, str] = {}
    else:
        facts = {"answer": f"{json.dumps(answer.answer, ensure_ascii=False)}: {_quality(answer)}"}
    if answer.best_bitstring is not None:
        facts["measured"] = f"as {answer.best_bitstring}"
        if answer.probability is not None:
            facts["measured"] += f" with probability {answer.probability:.4f}"
    if answer.energy is not None:
        facts["energy"] = f"{answer.energy:.6g}"
    if (before := _before(answer)) is not None:
        facts["optimised"] = before
    if (compiled := answer.compiled) is not None:
        facts[f"on {compiled.device}"] = compiled.message or (
            f"{compiled.two_qubit_gates} two-qubit gates, depth {compiled.depth}"
            + ("" if compiled.duration_us is None else f", {compiled.duration_us:.3g} µs")
        )
    for name, value in facts.items():
        table.add_row(_plain(name), _plain(value))
    return table


def _before(answer: CircuitAnswer) -> str | None:
    """What the optimise tool did, where it was asked."""
    report = answer.report or {}
    found, expectation = report.get("optimised"), report.get("expectation")
    if not found:
        return report.get("skipped", {}).get("optimise")
    if not found["improved"]:
        return f"no better angles in {found['evaluations']} evaluations"
    if not expectation:
        energies = f"{found['energy_before']:.6g} to {found['energy']:.6g}"
        return f"energy {energies} in {found['evaluations']} evaluations"
    ratios = (
        f"{found['approximation_ratio_before']:.4f} to {expectation['approximation_ratio']:.4f}"
    )
    return f"approximation ratio {ratios} in {found['evaluations']} evaluations"


def _quality(answer: CircuitAnswer) -> str:
    if answer.optimal:
        return "optimal"
    if answer.feasible is None:
        return "not optimal"
    return "feasible, not optimal" if answer.feasible else "not feasible"


def _reward(answer: CircuitAnswer) -> Table:
    from quasar.reports.verification_table import plain_table

    table = plain_table("part of the reward", "in [0, 1]")
    for name, value in islice(answer.reward_parts.items(), _MAX_ROWS):
        table.add_row(_plain(name.replace("_", " ")), f"{value:.4f}")
    if answer.reward is not None:
        table.add_row("reward (weighted sum)", f"{answer.reward:.4f}")
    return table


def _findings(answer: CircuitAnswer) -> list[RenderableType]:
    from quasar.reports.verification_table import plain_table

    if not answer.findings:
        return []
    table = plain_table("candidates", "why not valid")
    for finding in answer.findings[:_MAX_ROWS]:
        table.add_row(str(finding.count), _plain(f"{finding.kind}: {finding.message}"))
    return ["", table]


def _drawing(program: str, verification: VerificationConfig, *, width: int) -> str | None:
    from quasar.evaluation.drawings import draw_answer
    from quasar.verification.limits import program_limits

    return draw_answer(program, program_limits(verification), width=max(40, width))


def _plain(text: str) -> Text:
    return Text(one_line(text, max_chars=_MAX_CHARS))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
