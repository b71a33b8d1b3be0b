"""Tables of an evaluation's report: heads and rows of text, ready for the page.

Takes summaries; a table is {"heads": […], "body": [(row label, [cells])]}.
"""

from collections.abc import Mapping
from typing import Any

from quasar.evaluation.hardware import COLUMNS, MAX_QUBITS, SIDES
from quasar.evaluation.published_rows import PUBLISHED_ROWS
from quasar.evaluation.summary import METRICS, Summary, format_value

TRACKED = ("valid", "approximation_ratio", "optimum_probability", "decoded_correct")
_IN_BREAKDOWN = (
    ("valid", "corrected"),
    ("approximation_ratio", "corrected"),
    ("optimum_probability", "corrected"),
    ("decoded_correct", "corrected"),
    ("reward", "corrected"),
    ("hqcr", "published"),
)
_BREAKDOWNS = {
    "by_primitive": ("primitive", "Means over the problems of a primitive"),
    "by_qubits": ("qubits", "Means over the problems of a size"),
    "by_gates": ("gates", "Means over the problems by gates of the reference circuit"),
    "by_depth": ("depth", "Means over the problems by depth of the reference circuit"),
}


def tracks_table(rows: Mapping[str, Summary]) -> dict[str, Any]:
    """Both tracks of each row, one sample a problem; rows without a known family are left out."""
    metrics = [m for m in METRICS if m.group == "corrected" and m.name in TRACKED]
    body = []
    for name, summary in rows.items():
        structured = summary.structured.get("pass@1")
        if structured is None:
            continue
        cells = []
        for m in metrics:
            cells.append(format_value(summary.get(m.name).value, m.name))
            cells.append(format_value(structured[m.name].value, m.name))
        body.append((name, cells))
    heads = [f"{m.label}, {track}" for m in metrics for track in ("open", "structured")]
    return {"heads": heads, "body": body}


def published_table(rows: Mapping[str, Summary]) -> dict[str, Any]:
    """The published metrics of each row at each k, and the rows of the published table."""
    metrics = [m for m in METRICS if m.group == "published"]
    ks = (1, 10)
    body = []
    for name, summary in rows.items():
        found = [summary.get(m.name, group="published", k=k) for k in ks for m in metrics]
        if found[0].value is not None:
            cells = [
                format_value(e.value, m.name, group="published")
                for e, m in zip(found, metrics * len(ks), strict=True)
            ]
            body.append((name, cells))
    if not body:
        return {"heads": [], "body": []}
    for name, values in PUBLISHED_ROWS.items():
        cells = [
            format_value(values[f"pass@{k}"][m.name], m.name, group="published")
            for k in ks
            for m in metrics
        ]
        body.append((f"{name} (as published)", cells))
    return {"heads": [f"{m.label}@{k}" for k in ks for m in metrics], "body": body}


def breakdown_tables(summary: Summary) -> list[dict[str, Any]]:
    """A table for each breakdown that has groups."""
    shown = [m for m in METRICS if (m.name, m.group) in _IN_BREAKDOWN]
    shown.sort(key=lambda m: _IN_BREAKDOWN.index((m.name, m.group)))
    heads = [f"{m.label} (published)" if m.group == "published" else m.label for m in shown]
    return [
        {
            "by": by,
            "caption": caption,
            "heads": ["problems", *heads],
            "body": [
                (
                    key.replace("_", " "),
                    [
                        values["valid"].num_problems,
                        *(format_value(values[m.column].value, m.name, group=m.group)
                          for m in shown),
                    ],
                )
                for key, values in getattr(summary, field).items()
            ],
        }
        for field, (by, caption) in _BREAKDOWNS.items()
        if getattr(summary, field)
    ]  # fmt: skip


def hardware_table(summary: Summary) -> dict[str, Any] | None:
    """Generated and reference circuits side by side; None without the noise view."""
    found = summary.hardware
    if found is None:
        return None
    note = (
        f"One circuit a problem and its reference, compiled with a fixed seed and run under the "
        f"device's noise (errors of gates and readout), without sampling error. "
        f"{found['num_left_out']} problems are left out: no valid sample, no reference, or a "
        f"circuit that uses more than {MAX_QUBITS} qubits of the device or too many gates."
    )
    body = []
    for name, meaning in COLUMNS.items() if found["num_problems"] else ():
        cells = []
        for side in SIDES:
            values = found[side].get(name)
            if values is None:
                cells.append("–")
                continue
            low, high = values["interval_95"]
            form = "{:.1f}" if name in ("two_qubit_gates", "depth", "duration_us") else "{:.3f}"
            cells.append(
                f"{form.format(values['value'])} [{form.format(low)}, {form.format(high)}]"
            )
        body.append((meaning, cells))
    return {
        "device": found["device"],
        "num_problems": found["num_problems"],
        "note": note,
        "heads": list(SIDES),
        "body": body,
    }
