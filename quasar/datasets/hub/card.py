"""The card of a dataset: Markdown with the hub's front matter, and two figures."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean

from quasar.datasets.hub.describe import HEADINGS, Description
from quasar.datasets.io import write_text

FIGURES = ("quality.svg", "sizes.svg")
# What the card says of who made the circuits.
_TEACHERS = {
    "solver": "solver: angles tuned as far as they go",
    "readout": "readout: angles tuned, then QAOA's drawn back until an optimum is what is read off",
    "published": "published: the rule of the published benchmark's generator, which stops where "
    "the most probable state is a ground state",
    None: "others",
}


def write_card(found: Description, directory: Path, *, data_files: Mapping[str, str]) -> Path:
    """README.md with figures in `directory`. data_files: split -> pattern of its files."""
    directory.mkdir(parents=True, exist_ok=True)
    _draw(found, directory)
    configs = "\n".join(
        f"  - split: {split}\n    path: {pattern}" for split, pattern in data_files.items()
    )
    text = f"""---
license: apache-2.0
task_categories:
- text-generation
tags:
- quantum
- openqasm
- combinatorial-optimization
size_categories:
- {_size_category(found.everything.rows)}
configs:
- config_name: default
  data_files:
{configs}
---

# Solved quantum circuits for graph problems

Graph optimisation problems, their cost Hamiltonians and tuned OpenQASM 3 circuits. Each row has
the graph, the variables in qubit order, the Hamiltonian, the ansatz with its parameters, the
circuit and what it reaches, measured exactly on state vectors. A binary variable is 1 where its
qubit is measured 0; bit order is little-endian.

| split | rows |
|---|---|
{_lines((name, f"{count:,}") for name, count in found.splits.items())}

| made by | rows |
|---|---|
{_lines((_TEACHERS[name], f"{n:,}") for name, n in sorted(found.teachers.items(), key=str))}

Problems in more than one split: {found.shared_problems}. Rows whose ground states are not the
right answers: {len(found.unsound)} of {found.everything.rows:,} (every optimum is decoded and
compared with the exact classical one). Rows that repeat a problem of their split:
{found.duplicates}.

![Approximation ratio by primitive]({FIGURES[0]})

| problem | {" | ".join(HEADINGS)} |
|---|{"---|" * len(HEADINGS)}
{_lines((name, *group.cells()) for name, group in sorted(found.primitives.items()))}
{_lines([("**all**", *found.everything.cells())])}

![Rows by number of qubits]({FIGURES[1]})

| ansatz | {" | ".join(HEADINGS)} |
|---|{"---|" * len(HEADINGS)}
{_lines((name, *group.cells()) for name, group in sorted(found.families.items()))}

AR is the mean approximation ratio of the reference circuits, (E_max − E)/(E_max − E_min);
"uniform" is the same for random bitstrings. The solver's hardware-efficient and adaptive circuits
end near one optimal basis state, which no state beats: their ratios say that the optimiser works,
not that the problem is solved by few gates. Splits are by a hash of the whole weighted problem.
"""
    card = directory / "README.md"
    write_text(card, text)
    return card


def _lines(rows: Iterable[Iterable[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _size_category(rows: int) -> str:
    for limit, name in ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K")):
        if rows < limit:
            return name
    return "n>100K"


def _draw(found: Description, directory: Path) -> None:
    from matplotlib.figure import Figure

    names = sorted(found.primitives, reverse=True)
    figure = Figure(figsize=(6.4, 0.3 * len(names) + 1.2), layout="constrained")
    axes = figure.add_subplot()
    measured = [name for name in names if found.primitives[name].approximation_ratios]
    for values, colour, label in (
        ("uniform_ratios", "#d55e00", "uniform sampling"),
        ("approximation_ratios", "#0072b2", "reference circuits"),
    ):
        means = [fmean(getattr(found.primitives[name], values)) for name in measured]
        axes.plot(means, measured, "o", color=colour, label=label)
    axes.set(xlabel="mean approximation ratio", xlim=(0, 1.02))
    axes.grid(axis="x", alpha=0.4)
    axes.legend(loc="lower left", frameon=False)
    figure.savefig(directory / FIGURES[0], metadata={"Date": None})

    figure = Figure(figsize=(6.4, 2.6), layout="constrained")
    axes = figure.add_subplot()
    sizes = sorted(found.sizes)
    axes.bar(sizes, [found.sizes[size] for size in sizes], color="#0072b2")
    axes.set(xlabel="qubits", ylabel="rows", xticks=sizes)
    figure.savefig(directory / FIGURES[1], metadata={"Date": None})
