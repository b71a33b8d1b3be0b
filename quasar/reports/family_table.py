"""The table of families: each row's figures on QAOA problems, on the others, and on all.

Takes summaries; gives heads and rows of text for the page, and a terminal table. All figures are of
the structured track: an answer of another family than the prompt names counts as not valid.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from quasar.evaluation.baseline_names import CONSTANT_ANGLES, OTHER, QAOA, TRIVIAL, group_of
from quasar.evaluation.summary import Estimates, Summary, format_value, metric

ALL = "all"
_SHOWN = ("valid", "approximation_ratio", "optimum_most_probable")
_SHORT = {QAOA: "QAOA", OTHER: "other", ALL: "all"}
_Figures = dict[str, float]  # metric -> mean


def whole_rows(rows: Mapping[str, Summary]) -> dict[str, Summary]:
    """The rows without the trivial answers that are not there for every problem; with several tasks
    without all rows of one task.

    A mean over other problems stands in the tables of families and tasks only.
    """
    most = max((row.num_problems for row in rows.values()), default=0)
    mixed = any(row.tasks for row in rows.values())
    return {
        name: row
        for name, row in rows.items()
        if row.num_problems == most or not (mixed or name in TRIVIAL)
    }


def family_table(rows: Mapping[str, Summary]) -> dict[str, Any] | None:
    """Heads, body and note, as `reports.tables` gives them; None where no family is known."""
    groups, found = _figures(rows)
    if not groups:
        return None
    heads = [f"{_label(name)}, {group}" for group in groups for name in _SHOWN]
    body = [(row, [_text(cells.get(g), m) for g in groups for m in _SHOWN])
            for row, cells in found.items()]  # fmt: skip
    return {"heads": heads, "body": body, "note": _note(rows, groups)}


def family_console(rows: Mapping[str, Summary]) -> Table | None:
    """The same for a terminal of 80 columns: ratio, and "optimum most probable" in percent."""
    groups, found = _figures(rows)
    if not groups:
        return None
    table = Table(
        title="By family, of the named family only: ratio, optimum most probable in %",
        title_justify="left",
        caption=_note(rows, groups),
        caption_justify="left",
        caption_style="",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    table.add_column("", no_wrap=True)
    for group in groups:
        for head in ("ratio", "opt."):
            table.add_column(f"{_SHORT[group]}\n{head}", justify="right", no_wrap=True)
    for row, cells in found.items():
        table.add_row(
            row,
            *(_text(cells.get(g), m).removesuffix(" %") for g in groups for m in _SHOWN[1:]),
        )
    return table


def _figures(rows: Mapping[str, Summary]) -> tuple[list[str], dict[str, dict[str, _Figures]]]:
    """(the groups that there are, row -> group -> metric -> mean)."""
    groups = [g for g in (QAOA, OTHER) if any(g in row.by_family for row in rows.values())]
    constant = rows[CONSTANT_ANGLES].by_family if CONSTANT_ANGLES in rows else {}
    found: dict[str, dict[str, _Figures]] = {}
    for name, row in rows.items():
        if not row.by_family:
            continue
        cells = {g: _means([row.by_family[g]]) for g in groups if g in row.by_family}
        # The trivial answers for the others have one for QAOA beside them.
        whole = {**constant, **row.by_family} if TRIVIAL.get(name) == OTHER else row.by_family
        if all(g in whole for g in groups):
            cells[ALL] = _means([whole[g] for g in groups])
        found[name] = cells
    return ([*groups, ALL] if len(groups) > 1 else groups), found


def _means(parts: list[Estimates]) -> _Figures:
    """Means over the problems of all parts; metrics that are nowhere defined are left out."""
    means = {}
    for name in _SHOWN:
        known = [(e.value, e.num_problems) for p in parts if (e := p[name]).value is not None]
        if known:
            means[name] = sum(v * n for v, n in known) / sum(n for _, n in known)
    return means


def _text(figures: _Figures | None, name: str) -> str:
    return format_value(figures.get(name) if figures else None, name)


def _label(name: str) -> str:
    return metric(name).label


def _note(rows: Mapping[str, Summary], groups: list[str]) -> str:
    """How many problems a group has, what "all" is, and which problems have no trivial answer."""
    sizes: dict[str, int] = defaultdict(int)
    for row in rows.values():
        for group, estimates in row.by_family.items():
            sizes[group] = max(sizes[group], estimates["valid"].num_problems)
    told = ["Problems: " + ", ".join(f"{sizes[g]} {g}" for g in (QAOA, OTHER) if g in sizes) + "."]
    greedy = any(TRIVIAL.get(name) == OTHER for name in rows)
    if ALL in groups and greedy and CONSTANT_ANGLES in rows:
        told.append(f"'{ALL}' of the greedy and descent rows: with {CONSTANT_ANGLES} for QAOA.")
    lacking: dict[tuple[str, int], dict[str, None]] = {}
    for row in rows.values():
        for name, ansatze in row.unanswered.items():
            for ansatz, count in ansatze.items():
                if TRIVIAL.get(name) == group_of(ansatz):
                    lacking.setdefault((ansatz, count), {})[name] = None
    for (ansatz, count), names in lacking.items():
        problems = "problem" if count == 1 else "problems"
        told.append(
            f"No answer in closed form for {count} {problems} of {ansatz}, left out of: "
            f"{'; '.join(names)}."
        )
    return " ".join(told)
