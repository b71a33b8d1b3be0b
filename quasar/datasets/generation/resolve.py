"""Solving given problems anew: a file of problems in, the same rows with tuned circuits out.

Rows are appended as they are solved, in the order of the file, so that an interrupted call goes on
where it stopped.
"""

import functools
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.qasm import read_qasm
from quasar.config import QuasarConfig
from quasar.config.dataset import Teacher
from quasar.datasets.generation.forms import Form
from quasar.datasets.generation.workers import WorkerPool
from quasar.datasets.io import read_problems, write_json_rows
from quasar.datasets.records import ProblemRecord, named_teacher
from quasar.datasets.solver import Quality, measure, solve
from quasar.errors import CircuitError, InputError, QuasarError
from quasar.system.locks import held_file
from quasar.system.progress import progress_bar
from quasar.system.resumable import RowLog, file_digest
from quasar.system.run_paths import partial

logger = logging.getLogger(__name__)

AS_GOOD = 1e-3  # energy above the reference's that still counts as reached


@dataclass(frozen=True, slots=True)
class SolveOptions:
    """What to solve the problems with; None: what each row's own reference circuit is."""

    ansatz: str | None
    layers: int | None
    decimals: int
    seed: int
    teacher: Teacher = "solver"


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
    problems: Path,
    output: Path,
    order: SolveOptions,
    config: QuasarConfig,
    *,
    progress: bool = True,
) -> list[Resolved]:
    """Write every row of `problems` with a new circuit to `output` (JSONL); give the figures.

    A row that cannot be solved is logged and left out. An output that is there is replaced once the
    new one is whole. Raises InputError for a file that cannot be read, if no row could be solved,
    if another process writes the output or if another call was interrupted there.
    """
    records = read_problems(problems, max_qubits=config.verification.max_qubits)
    fingerprint = {"problems": file_digest(problems), **asdict(order)}
    with held_file(output), RowLog(partial(output), fingerprint) as log:
        with (
            WorkerPool(config) as pool,
            progress_bar("problems", len(records), show=progress) as advance_to,
        ):
            solving = functools.partial(_solve_record, order=order)
            for done, row in enumerate(pool.map(solving, records[log.num_done :]), start=1):
                log.add(row)
                advance_to(log.num_done + done)
        rows = list(log.rows())
        solved = [row for row in rows if "error" not in row]
        if not solved:
            log.remove()  # else a file that was fixed would be refused as another one
            raise InputError(
                f"{problems}: no row could be solved; the first one: {rows[0]['error']}"
            )
        write_json_rows(output, (row["record"] for row in solved))
        log.remove()
    return [_figures(row) for row in solved]


def _solve_record(record: ProblemRecord, *, order: SolveOptions) -> dict[str, Any]:
    problem = record.problem
    base = {"sample_index": record.sample_index}
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
            teacher=order.teacher,
        )
        seconds = time.perf_counter() - started
    except QuasarError as error:
        logger.warning("sample_index %d is skipped: %s", record.sample_index, error)
        return base | {"error": str(error)}
    text = solution.circuit.to_qasm(decimals=order.decimals)
    others = {name: value for name, value in record.extras.items() if name != "teacher"}
    solved = replace(
        record,
        problem=replace(problem, reference_circuit=text),
        optimization_type=form.optimization_type,
        ansatz=form.ansatz,
        n_layers=form.layers,
        extras={
            **others,
            **named_teacher(order.teacher),
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


def _form(record: ProblemRecord, order: SolveOptions) -> Form:
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
        timed = [(s, f.seconds) for f in group if (s := f.recorded_seconds) is not None]
        recorded = sum(seconds for seconds, _ in timed)
        spent = sum(seconds for _, seconds in timed)
        references = [f.reference for f in group if f.reference is not None]
        reached = [f.reached for f in group if f.reference is not None]
        table.add_row(
            family,
            str(len(group)),
            f"{sum(f.seconds for f in group):.2f}",
            f"{recorded:.0f}" if timed else "–",
            f"{recorded / spent:.0f}×" if timed else "–",
            f"{fmean(f.quality.approximation_ratio for f in group):.3f}",
            f"{fmean(q.approximation_ratio for q in references):.3f}" if references else "–",
            f"{fmean(f.quality.optimum_probability for f in group):.3f}",
            f"{sum(map(bool, reached))}/{len(reached)}" if reached else "–",
        )
    return table
