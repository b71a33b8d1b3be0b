"""Candidate problems and the shards in which they are solved.

A candidate is a pure function of (seed, primitive, num_qubits, index), so a shard is a list of
indices and can be solved by any process, in any order, once. `solve_shard` gives a row per
candidate: a record, or why it was rejected.
"""

import json
import logging
import math
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from quasar.circuits.ansatz import get_ansatz
from quasar.circuits.circuit import Circuit
from quasar.circuits.qasm import read_qasm
from quasar.config import DatasetConfig
from quasar.datasets.canonical_answers import canonical_text
from quasar.datasets.generation.forms import Form, draw_form
from quasar.datasets.io import write_json_rows
from quasar.datasets.records import ProblemRecord, named_teacher
from quasar.datasets.solver import NotAccepted, Quality, measure, solve
from quasar.errors import QuasarError
from quasar.problems import build_instance, get_problem
from quasar.problems.base import Encoding, ProblemInstance
from quasar.problems.soundness import check_sound

logger = logging.getLogger(__name__)

GENERATOR_VERSION = 4  # raise when the same seed would give other examples
_FORM_STREAM = 1  # the draw of ansatz and layers must not move the problem's own stream
# So many repeats in a row mean that a cell has (nearly) no new problem left.
MAX_REPEATS = 400


@dataclass(frozen=True, slots=True)
class Cell:
    """The unit of balance: one primitive, in one encoding, at one size."""

    primitive: str
    num_qubits: int
    encoding: Encoding = "sound"

    def __str__(self) -> str:
        return f"{self.primitive}-{self.num_qubits}q"


@dataclass(frozen=True, slots=True)
class Shard:
    """Candidates of one cell to solve, and the file that keeps the outcome."""

    cell: Cell
    indices: tuple[int, ...]
    path: Path
    seed: int
    settings: DatasetConfig


class CandidateStream:
    """Candidates of one cell without repeats (by `ProblemInstance.key`)."""

    def __init__(self, cell: Cell, seed: int):
        self.cell, self.seed = cell, seed
        self.exhausted = False
        self._next = 0
        self._keys: set[str] = set()

    def draw(self, count: int) -> list[int]:
        """Indices of up to `count` new problems; fewer once the cell is exhausted."""
        found: list[int] = []
        repeats = 0
        while len(found) < count and not self.exhausted:
            key = make_candidate(self.cell, self.seed, self._next).key
            if key in self._keys:
                repeats += 1
                self.exhausted = repeats >= MAX_REPEATS
            else:
                repeats = 0
                self._keys.add(key)
                found.append(self._next)
            self._next += 1
        return found


def make_candidate(cell: Cell, seed: int, index: int) -> ProblemInstance:
    """The cell's candidate of that index."""
    graph, attributes = get_problem(cell.primitive, cell.encoding).generate(
        _stream(cell, seed, index), cell.num_qubits
    )
    return build_instance(cell.primitive, graph, attributes, encoding=cell.encoding)


def solve_shard(shard: Shard) -> list[dict[str, Any]]:
    """One row a candidate, in order: {"index", "rejected", "record"}; also written to shard.path.

    rejected: None, or the reason as `Rejection` has it. A candidate that cannot be made or solved
    is such a row as well, and is logged: it never stops the others.
    """
    rows = []
    for index in shard.indices:
        rejected, record = None, None
        try:
            record = _solve_candidate(shard, index)
        except Rejection as reason:
            rejected = str(reason)
        except (QuasarError, ArithmeticError, LookupError, ValueError) as error:
            rejected = "error"
            logger.warning("%s candidate %d is skipped: %s", shard.cell, index, error)
        rows.append({"index": index, "rejected": rejected, "record": record})
    write_json_rows(shard.path, rows)
    return rows


def load_shard(shard: Shard) -> list[dict[str, Any]] | None:
    """The outcome that an earlier run left for exactly this shard, else None."""
    if not shard.path.is_file():
        return None
    rows = [json.loads(line) for line in shard.path.read_text("utf-8").splitlines()]
    return rows if [row["index"] for row in rows] == list(shard.indices) else None


def load_row(path: Path, place: int) -> dict[str, Any]:
    """The record in line `place` of a shard's file."""
    return json.loads(path.read_text("utf-8").splitlines()[place])["record"]


class Rejection(Exception):
    """Why a candidate is no example.

    trivial: every bitstring is optimal; ground_state: the optima of H are not exactly those of the
    problem (published encoding: one of them is wrong); teacher: the published rule drops the
    problem; min_improvement, min_approximation_ratio,
    min_enrichment, max_program_bytes: the setting that the solution does not meet.
    """


def _solve_candidate(shard: Shard, index: int) -> dict[str, Any]:
    cell, settings = shard.cell, shard.settings
    problem = make_candidate(cell, shard.seed, index)
    spectrum = problem.spectrum
    if spectrum.optimal.size == spectrum.energies.size:
        raise Rejection("trivial")
    if check_sound(problem, complete=cell.encoding == "sound") is not None:
        raise Rejection("ground_state")
    rng = _stream(cell, shard.seed, index, _FORM_STREAM)
    form = draw_form(settings.ansatze, settings.layers, cell.num_qubits, rng)
    form = _that_fits(form, problem, settings)
    decimals = settings.angle_decimals
    try:
        solution = solve(
            problem,
            ansatz=form.ansatz,
            layers=form.layers,
            decimals=decimals,
            seed=shard.seed,
            teacher=settings.teacher,
        )
    except NotAccepted as error:
        raise Rejection("teacher") from error
    text, quality = solution.circuit.to_qasm(decimals=decimals), solution.quality
    if settings.style == "canonical":
        text = canonical_text(problem.hamiltonian, solution, decimals=decimals)
        quality = measure(problem, read_qasm(text))  # its coefficients are rounded
    _require_quality(quality, text, problem, settings)
    return ProblemRecord(
        index,
        replace(problem, reference_circuit=text),
        form.optimization_type,
        form.layers,
        {
            "parameters": solution.named_parameters(),
            "quality": asdict(quality),
            "curriculum": _curriculum(solution.circuit, problem),
            "version": GENERATOR_VERSION,
            "seed": shard.seed,
            **named_teacher(settings.teacher),
        },
        form.ansatz,
    ).to_dict()


def _that_fits(form: Form, problem: ProblemInstance, settings: DatasetConfig) -> Form:
    """With fewer layers, where more would make the program too long whatever its angles are."""
    if form.ansatz == "adaptive":
        return form
    longer = settings.angle_decimals + len("-.")  # than the angle 0 that stands in the structure
    for layers in range(form.layers, 0, -1):
        bare = get_ansatz(form.ansatz).circuit(problem.hamiltonian, layers=layers).structure
        if len(bare.to_qasm()) + longer * len(bare.parameters) <= settings.max_program_bytes:
            return form._replace(layers=layers)
    raise Rejection("max_program_bytes")


def _curriculum(circuit: Circuit, problem: ProblemInstance) -> dict[str, float]:
    """What to order examples by; difficulty: −log₂ of a random bitstring's chance to be optimal."""
    spectrum = problem.spectrum
    return {
        "qubits": circuit.num_qubits,
        "gates": len(circuit.gates),
        "two_qubit_gates": circuit.num_two_qubit_gates,
        "depth": circuit.depth,
        "difficulty": round(math.log2(spectrum.energies.size / spectrum.optimal.size), 3),
    }


def _require_quality(
    quality: Quality, text: str, problem: ProblemInstance, settings: DatasetConfig
) -> None:
    spectrum = problem.spectrum
    uniform = spectrum.optimal.size / spectrum.energies.size
    gain = quality.approximation_ratio - quality.uniform_approximation_ratio
    for setting, kept in (
        ("min_improvement", gain >= settings.min_improvement),
        (
            "min_approximation_ratio",
            quality.approximation_ratio >= settings.min_approximation_ratio,
        ),
        ("min_enrichment", quality.optimum_probability >= settings.min_enrichment * uniform),
        ("max_program_bytes", len(text.encode()) <= settings.max_program_bytes),
    ):
        if not kept:
            raise Rejection(setting)


def _stream(cell: Cell, seed: int, index: int, *purpose: int) -> np.random.Generator:
    """A random stream of one candidate."""
    name = zlib.crc32(cell.primitive.encode())
    return np.random.default_rng([seed, name, cell.num_qubits, index, *purpose])
