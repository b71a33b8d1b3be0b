"""Tables of the tasks in an evaluation: each row's success, parts and reward, task by task.

Takes summaries; gives heads and rows of text for the page, and a terminal table.
"""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from quasar.evaluation.summary import Estimates, MetricEstimate, Summary, TaskTable
from quasar.evaluation.task_tables import FIGURES, PART_MEAN, RATES, SUCCESS

_ON_CONSOLE = (SUCCESS, PART_MEAN, "reward")
_LABELS = {SUCCESS: "success", PART_MEAN: "mean part", "valid": "valid", "reward": "reward"}
_NOTE = (
    "references: the teacher's answers; answer by rule: of the best rule that neither learns nor "
    "searches; best trivial answer: the best one that takes no skill, at which each part is 0. "
    "Success of a graph problem: the most probable bitstring is an optimum."
)


def task_tables(rows: Mapping[str, Summary]) -> list[dict[str, Any]]:
    """A table a task, rows as given, and breakdowns of the first row; [] of graph problems.

    Each: {"task", "heads", "body", "note", "breakdowns"}, as `reports.tables` has tables.
    """
    found = []
    for task in _tasks(rows):
        own = {name: row.tasks[task] for name, row in rows.items() if task in row.tasks}
        first = next(iter(own.values()))
        names = [*FIGURES, *(n for n in first.tables["pass@1"] if n not in FIGURES)]
        ks = list(first.tables)
        heads = [_label(name) for name in names]
        heads += [f"success, {at}" for at in ks if at != "pass@1"]
        body = []
        for label, table in own.items():
            one = table.tables["pass@1"]
            cells = [_interval(one, name) for name in names]
            cells += [_interval(table.tables.get(at, {}), SUCCESS) for at in ks if at != "pass@1"]
            body.append((label, cells))
        found.append(
            {
                "task": task.replace("_", " "),
                "num_problems": first.num_problems,
                "heads": heads,
                "body": body,
                "note": _NOTE,
                "breakdowns": _breakdowns(first, names),
            }
        )
    return found


def task_console(rows: Mapping[str, Summary]) -> Table | None:
    """Success, mean part and reward of each row, task by task, for a terminal of 80 columns; None
    of graph problems alone.
    """
    tasks = _tasks(rows)
    if not tasks:
        return None
    table = Table(
        title="By task, one sample a problem",
        title_justify="left",
        caption=_NOTE,
        caption_justify="left",
        caption_style="",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    table.add_column("", no_wrap=True)
    for name in _ON_CONSOLE:
        table.add_column(_label(name), justify="right", no_wrap=True)
    for task in tasks:
        own = {label: row.tasks[task] for label, row in rows.items() if task in row.tasks}
        most = max(found.num_problems for found in own.values())
        table.add_section()
        table.add_row(f"[bold]{task.replace('_', ' ')}[/bold] ({most} problems)")
        for label, found in own.items():
            cells = (_text(found.tables["pass@1"], name) for name in _ON_CONSOLE)
            table.add_row(f"  {label}", *cells)
    return table


def _tasks(rows: Mapping[str, Summary]) -> list[str]:
    return list(dict.fromkeys(task for row in rows.values() for task in row.tasks))


def _breakdowns(table: TaskTable, names: list[str]) -> list[dict[str, Any]]:
    heads = ["problems", *(_label(name) for name in names)]
    return [
        {
            "by": by,
            "heads": heads,
            "body": [
                (
                    key.replace("_", " "),
                    [str(values["valid"].num_problems), *(_text(values, name) for name in names)],
                )
                for key, values in groups.items()
            ],
        }
        for by, groups in (("family", table.by_family), ("qubits", table.by_qubits))
    ]


def _label(name: str) -> str:
    return _LABELS.get(name, name.replace("_", " "))


def _text(estimates: Estimates, name: str) -> str:
    found = estimates.get(name)
    return "–" if found is None or found.value is None else _number(found.value, name)


def _interval(estimates: Estimates, name: str) -> str:
    found: MetricEstimate | None = estimates.get(name)
    if found is None or found.value is None:
        return "–"
    value, low, high = found.defined
    edges = (_number(edge, name).removesuffix(" %") for edge in (low, high))
    return f"{_number(value, name)} [{', '.join(edges)}]"


def _number(value: float, name: str) -> str:
    return f"{value + 0.0:.1f} %" if name in RATES else f"{value + 0.0:.3f}"
