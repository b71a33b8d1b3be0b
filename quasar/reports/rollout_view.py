"""Rollouts of a run for a person: turn by turn, as tables on the terminal, as a report's section.

Takes rows of `quasar.episodes.log`. What a policy wrote is shown as plain text: no markup,
no terminal codes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from quasar.circuits.qasm import Limits
from quasar.config import VerificationConfig
from quasar.config.task_names import GRAPH_TASK
from quasar.episodes.log import Rollout, RolloutLog, extremes
from quasar.evaluation.drawings import draw_answer
from quasar.evaluation.storage import shown_text
from quasar.policy.tool_calls import submitted_circuit
from quasar.reports.verification_table import plain_table, plain_text, reward_table
from quasar.system.run_paths import RunPaths
from quasar.training.state import StepLog
from quasar.verification.limits import program_limits

# Columns of the list of steps: metric of the step log -> heading.
_STEP_METRICS = {
    "reward": "mean reward",
    "valid_fraction": "valid",
    "turns": "turns",
    "improvement": "gain of turns",
    "failed_fraction": "not graded",
}


@dataclass(frozen=True, slots=True)
class TurnView:
    """What the policy wrote in one turn, and what came back."""

    text: str
    drawing: str | None  # of its circuit, None where there is none to draw
    reward: float | None  # of its circuit, without the call cost; None where it was not graded
    observation: str | None  # the tool's answer; None after the last turn


def turns_of(rollout: Rollout, limits: Limits, *, width: int = -1) -> Iterator[TurnView]:
    """The turns of a rollout, in order; width: of the drawings, as in `draw_answer`."""
    last = len(rollout.texts) - 1
    for place, text in enumerate(rollout.texts):
        line = rollout.findings.error_line if rollout.findings and place == last else None
        yield TurnView(
            text,
            draw_answer(submitted_circuit(text), limits, fault_line=line, width=width),
            _at(rollout.turn_rewards, place),
            _at(rollout.observations, place),
        )


def facts_of(rollout: Rollout) -> str:
    """One line on a rollout: problem, size, how it ended, what it earned."""
    parts = [
        f"{_kind(rollout)} on {rollout.num_qubits} qubits",
        f"{len(rollout.texts)} turn{'s' if len(rollout.texts) > 1 else ''}",
        f"{rollout.tokens} tokens{'' if rollout.finished else ', cut at a limit'}",
        f"weights {rollout.weights_version}",
    ]
    if rollout.reward is None:
        return ", ".join([*parts, f"not graded ({rollout.fault})"])
    return ", ".join([*parts, f"reward {rollout.reward:.3f}, advantage {rollout.advantage:+.3f}"])


def _kind(rollout: Rollout) -> str:
    family = rollout.primitive.replace("_", " ")
    return family if rollout.task == GRAPH_TASK else f"{rollout.task.replace('_', ' ')}: {family}"


def findings_of(rollout: Rollout) -> list[tuple[str, str]]:
    """(what, value) of the last circuit's verification."""
    found = rollout.findings
    if found is None:
        return []
    rows = [("reached", found.reached)]
    if found.error is not None:
        return [*rows, ("fault", found.error)]
    gates = f"{found.num_gates}, {found.num_two_qubit_gates} of them on two or more qubits"
    rows.append(("gates", f"{gates}; depth {found.depth}"))
    if found.headline:
        rows.append(("success" if found.success else "no success", found.headline))
    if found.optimum_probability is not None:
        uniform = found.uniform_optimum_probability
        rows.append(("P(optimum)", f"{found.optimum_probability:.4f} (uniform {uniform:.4f})"))
    if found.approximation_ratio is not None:
        uniform = found.uniform_approximation_ratio
        ratio = f"{found.approximation_ratio:.4f} (uniform {uniform:.4f})"
        rows += [("energy", f"{found.energy:.6g}"), ("approximation ratio", ratio)]
    if found.approximation_ratio_before is not None:
        rows.append(("before the optimise tool", f"{found.approximation_ratio_before:.4f}"))
    if found.warm_start_gain is not None:
        rows.append(("warm-start gain", f"{found.warm_start_gain:.4f}"))
    if found.most_probable is not None:
        rows.append(("most probable", found.most_probable))
    return rows + [(f"{stage} skipped", why) for stage, why in found.skipped.items()]


# Terminal ----------------------------------------------------------------------------------------


def rollout_text(rollout: Rollout, *, step: int, title: str, limits: Limits, width: int) -> Group:
    """A rollout from its prompt to its reward, for a terminal (rich) of so many columns."""
    place = f"step {step}, group {rollout.group}, sample {rollout.sample}"
    parts: list[RenderableType] = [
        Rule(f"{title}{': ' if title else ''}{place}", style="bold"),
        plain_text(facts_of(rollout)),
    ]
    for message in rollout.prompt:
        parts += _block(f"prompt, {message.get('role', '?')}", message.get("content", ""))
    for number, turn in enumerate(turns_of(rollout, limits, width=max(40, width - 4)), start=1):
        reward = "" if turn.reward is None else f", reward {turn.reward:.3f}"
        parts += _block(f"turn {number}{reward}", turn.text)
        if turn.drawing is not None:
            parts.append(Padding(Text(turn.drawing, no_wrap=True, overflow="crop"), (1, 0, 1, 2)))
        if turn.observation is not None:
            parts += _block("tool", turn.observation)
    if rollout.findings is not None:
        table = plain_table("last circuit", "")
        for what, value in findings_of(rollout):
            table.add_row(plain_text(what), plain_text(value))
        parts += ["", table]
    if rollout.reward is not None:
        parts += ["", reward_table(rollout.parts, rollout.weighted, rollout.reward)]
    return Group(*parts, "")


def rollouts_table(rollouts: Sequence[Rollout], *, step: int) -> Table:
    """One row a rollout of a step."""
    table = plain_table("group", "sample", "problem", "turns", "tokens", "reward")
    table.title = f"Rollouts of step {step}"
    for column in ("advantage", "reached"):
        table.add_column(column)
    for column in table.columns:
        if column.header not in ("problem", "reached"):
            column.justify = "right"
        column.no_wrap, column.overflow = column.header != "problem", "fold"
    table.padding = (0, 1, 0, 0)  # eighty columns hold it
    for r in rollouts:
        table.add_row(
            str(r.group),
            str(r.sample),
            plain_text(r.primitive),
            str(len(r.texts)),
            str(r.tokens),
            "–" if r.reward is None else f"{r.reward:.3f}",
            f"{r.advantage:+.3f}",
            plain_text(r.findings.reached if r.findings else r.fault or ""),
        )
    return table


def steps_of(log: RolloutLog) -> list[dict[str, Any]]:
    """One dict a step: its number, the bytes of its file, its metrics as the step log has them."""
    steps = StepLog.read(log.phase.steps)
    metrics = {row["step"]: row for row in steps}
    return [
        {"step": step, "bytes": log.path(step).stat().st_size}
        | {name: metrics.get(step, {}).get(name) for name in _STEP_METRICS}
        for step in log.steps
    ]


def steps_table(log: RolloutLog) -> Table:
    """The steps of a run that have rollouts."""
    table = plain_table("step", *_STEP_METRICS.values(), "KiB")
    table.title = f"Steps of {log.run.name}"
    for column in table.columns:
        column.justify = "right"
    for row in steps_of(log):
        cells = ["–" if row[m] is None else f"{row[m]:.3f}" for m in _STEP_METRICS]
        table.add_row(str(row["step"]), *cells, f"{row['bytes'] / 1024:.0f}")
    return table


def _block(title: str, text: str) -> list[RenderableType]:
    lines = Text("\n").join(plain_text(line) for line in text.splitlines())
    return [Text(f"\n{title}", style="bold"), Padding(lines, (0, 0, 0, 2))]


# Report ------------------------------------------------------------------------------------------


def report_rollouts(run: Path, verification: VerificationConfig) -> list[dict[str, Any]]:
    """The best, median and worst rollouts of the first, the middle and the last step of a run,
    ready for the page. Empty where the run has no rollouts."""
    if not RunPaths(run).grpo.rollouts.is_dir():
        return []
    log, limits = RolloutLog(run), program_limits(verification)
    steps = log.steps
    chosen = sorted({steps[0], steps[len(steps) // 2], steps[-1]})
    return [
        {"step": step, "rollouts": [
            _for_page(name, rollout, limits) for name, rollout in extremes(log.read(step)).items()
        ]}
        for step in chosen
    ]  # fmt: skip


def _for_page(name: str, rollout: Rollout, limits: Limits) -> Mapping[str, Any]:
    turns = [
        {"text": shown_text(t.text), "drawing": t.drawing, "reward": t.reward,
         "observation": None if t.observation is None else shown_text(t.observation)}
        for t in turns_of(rollout, limits)
    ]  # fmt: skip
    reward = [
        (part.replace("_", " "), [_number(rollout.parts.get(part)), _number(value)])
        for part, value in rollout.weighted.items()
    ]
    return {
        "name": name,
        "rollout": rollout,
        "facts": facts_of(rollout),
        "prompt": [(m.get("role", "?"), shown_text(m.get("content", ""))) for m in rollout.prompt],
        "turns": turns,
        "findings": [(what, [value]) for what, value in findings_of(rollout)],
        "reward": [*reward, ("sum", ["", _number(rollout.reward)])],
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _at(values: Sequence[Any], place: int) -> Any:
    return values[place] if place < len(values) else None
