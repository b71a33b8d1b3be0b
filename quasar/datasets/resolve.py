"""Solving given problems anew: a file of problems in, the same rows with tuned circuits out.

Rows are appended as they are solved, in the order of the file, so that an interrupted call goes on
where it stopped.
"""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.qasm import read_qasm
from quasar.config import QuasarConfig
from quasar.datasets.forms import Form
from quasar.datasets.io import read_problems
from quasar.datasets.records import ProblemRecord
from quasar.datasets.solver import Quality, measure, solve
from quasar.datasets.workers import WorkerPool, progress_bar
from quasar.errors import CircuitError, InputError, QuasarError

logger = logging.getLogger(__name__)

AS_GOOD = 1e-3  # energy above the reference's that still counts as reached


@dataclass(frozen=True, slots=True)
class Order:
    """What to solve the problems with; None: what each row's own reference circuit is."""

    ansatz: str | None
    layers: int | None
    decimals: int
    seed: int


@dataclass(frozen=True, slots=True)
class Resolved:
    """Figures of one solved row."""

    family: str  # qaoa, ma_qaoa, hardware_efficient or adaptive
    seconds: float
    recorded_seconds: float | None  # `solution.optimization_time` of the row
    quality: Quality
    reference: Quality | None

    @property
    def reached(self) -> bool | None:
        """Whether the energy is at or below the reference's, within AS_GOOD."""
        if self.reference is None:
            return None
        return self.quality.energy <= self.reference.energy + AS_GOOD


def solve_file(
    problems: Path, output: Path, order: Order, config: QuasarConfig, *, progress: bool = True
) -> list[Resolved]:
    """Write every row of `problems` with a new circuit to `output` (JSONL); give the figures.

    A row that cannot be solved is logged and left out. Raises InputError for a file that cannot be
    read, or if no row could be solved.
    """
    records = read_problems(problems, max_qubits=config.verification.max_qubits)
    partial_file = output.with_name(output.name + ".partial")
    partial_file.parent.mkdir(parents=True, exist_ok=True)
    done = _rows_done(partial_file, order, records)
    with (
        WorkerPool(config) as pool,
        partial_file.open("a", encoding="utf-8") as file,
        progress_bar("problems", len(records), show=progress) as advance_to,
    ):
        for row in pool.map(partial(_solve_record, order=order), records[len(done) :]):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            done.append(row)
            advance_to(len(done))
    solved = [row for row in done if "error" not in row]
    if not solved:
        raise InputError(f"{problems}: no row could be solved; the first one: {done[0]['error']}")
    with partial_file.open("w", encoding="utf-8") as file:
        for row in solved:
            file.write(json.dumps(row["record"], ensure_ascii=False) + "\n")
    partial_file.replace(output)
    return [_figures(row) for row in solved]


def _solve_record(record: ProblemRecord, *, order: Order) -> dict[str, Any]:
    problem = record.problem
    base = {"sample_index": record.sample_index, "order": asdict(order)}
    try:
        form = _form(record, order)
        reference = None
        if problem.reference_circuit is not None:
            reference = measure(problem, read_qasm(problem.reference_circuit))
        started = time.perf_counter()
        solution = solve(
            problem,
            ansatz=form.ansatz,
            layers=form.layers,
            decimals=order.decimals,
            seed=order.seed,
        )
        seconds = time.perf_counter() - started
    except QuasarError as error:
        logger.warning("sample_index %d is skipped: %s", record.sample_index, error)
        return base | {"error": str(error)}
    text = solution.circuit.to_qasm(decimals=order.decimals)
    solved = replace(
        record,
        problem=replace(problem, reference_circuit=text),
        optimization_type=form.optimization_type,
        ansatz=form.ansatz,
        n_layers=form.layers,
        extras={
            **record.extras,
            "parameters": solution.named_parameters(),
            "quality": asdict(solution.quality),
            "solve_seconds": round(seconds, 6),
        },
    )
    return base | {
        "family": solution.ansatz.family,
        "reference": asdict(reference) if reference else None,
        "record": solved.to_dict(),
    }


def _form(record: ProblemRecord, order: Order) -> Form:
    """The order's family and layers, else those of the row, else those of its circuit."""
    ansatz, layers = order.ansatz, order.layers
    if ansatz is None and record.ansatz == "vqe":
        program = record.problem.reference_circuit
        try:
            found = recognise(program, record.problem.hamiltonian) if program else None
        except CircuitError as error:
            raise InputError(f"its reference circuit cannot be read: {error}") from error
        if found is None:
            raise InputError("its reference circuit is of no known family; name one by --ansatz")
        ansatz, layers = found.ansatz.name, layers or found.layers
    ansatz = ansatz or record.ansatz
    return Form(ansatz, 1 if ansatz == "adaptive" else layers or record.n_layers)


def _rows_done(
    partial_file: Path, order: Order, records: Sequence[ProblemRecord]
) -> list[dict[str, Any]]:
    """Whole rows of an interrupted call for these problems and this order; a torn last line is cut
    off.
    """
    if not partial_file.is_file():
        return []
    text = partial_file.read_text("utf-8")
    lines = text[: text.rfind("\n") + 1].splitlines()
    rows = [json.loads(line) for line in lines]
    wanted = [record.sample_index for record in records[: len(rows)]]
    same_order = all(row["order"] == asdict(order) for row in rows)
    if not same_order or [row["sample_index"] for row in rows] != wanted:
        rows = []
    partial_file.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    return rows


def _figures(row: dict[str, Any]) -> Resolved:
    record = row["record"]
    recorded = (record.get("solution") or {}).get("optimization_time")
    return Resolved(
        family=row["family"],
        seconds=record["solve_seconds"],
        recorded_seconds=recorded,
        quality=Quality(**record["quality"]),
        reference=Quality(**row["reference"]) if row["reference"] else None,
    )


def solved_table(figures: Sequence[Resolved]) -> Table:
    """One line a family and one for all: seconds against those recorded, quality, references."""
    table = Table(
        title="Solved problems",
        caption="AR: approximation ratio, P: probability of an optimum, mean;\n"
        f"reached: energy at most the reference's + {AS_GOOD:g}",
        box=SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    table.add_column("family", no_wrap=True)
    for name in ("rows", "seconds", "recorded", "ratio", "AR", "AR ref", "P", "reached"):
        table.add_column(name, justify="right", no_wrap=True)
    for family in [*sorted({f.family for f in figures}), "all"]:
        group = [f for f in figures if family in (f.family, "all")]
        timed = [f for f in group if f.recorded_seconds is not None]
        recorded = sum(f.recorded_seconds for f in timed)
        spent = sum(f.seconds for f in timed)
        compared = [f for f in group if f.reference is not None]
        table.add_row(
            family,
            str(len(group)),
            f"{sum(f.seconds for f in group):.2f}",
            f"{recorded:.0f}" if timed else "–",
            f"{recorded / spent:.0f}×" if timed else "–",
            f"{fmean(f.quality.approximation_ratio for f in group):.3f}",
            f"{fmean(f.reference.approximation_ratio for f in compared):.3f}" if compared else "–",
            f"{fmean(f.quality.optimum_probability for f in group):.3f}",
            f"{sum(f.reached for f in compared)}/{len(compared)}" if compared else "–",
        )
    return table
