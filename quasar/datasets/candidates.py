"""Candidate problems and the shards in which they are solved.

A candidate is a pure function of (seed, primitive, num_qubits, index), so a shard is a list of
indices and can be solved by any process, in any order, once. `solve_shard` gives a row per
candidate: a record, or why it was rejected.
"""

import json
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from quasar.datasets.io import write_json_rows
from quasar.datasets.records import ProblemRecord
from quasar.datasets.solve import solve_problem
from quasar.problems import build_instance, get_problem
from quasar.problems.base import Encoding, ProblemInstance
from quasar.problems.soundness import check_sound

GENERATOR_VERSION = 2  # raise when the same seed would give other examples
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
    layers: int
    angle_decimals: int
    min_improvement: float


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
    name = zlib.crc32(cell.primitive.encode())
    rng = np.random.default_rng([seed, name, cell.num_qubits, index])
    graph, attributes = get_problem(cell.primitive, cell.encoding).generate(rng, cell.num_qubits)
    return build_instance(cell.primitive, graph, attributes, encoding=cell.encoding)


def solve_shard(shard: Shard) -> list[dict[str, Any]]:
    """One row a candidate, in order: {"index", "rejected", "record"}; also written to shard.path.

    rejected: None, "trivial" (every bitstring is optimal), "ground_state" (the optima of H
    are not exactly those of the problem; published encoding: one of them is wrong) or
    "min_improvement" (QAOA gains too little over uniform sampling).
    """
    rows = [_solve_candidate(shard, index) for index in shard.indices]
    write_json_rows(shard.path, rows)
    return rows


def load_shard(shard: Shard) -> list[dict[str, Any]] | None:
    """The outcome that an earlier run left for exactly this shard, else None."""
    if not shard.path.is_file():
        return None
    rows = [json.loads(line) for line in shard.path.read_text("utf-8").splitlines()]
    return rows if [row["index"] for row in rows] == list(shard.indices) else None


def _solve_candidate(shard: Shard, index: int) -> dict[str, Any]:
    problem = make_candidate(shard.cell, shard.seed, index)
    rejected, record = None, None
    if problem.spectrum.optimal.size == problem.spectrum.energies.size:
        rejected = "trivial"
    elif check_sound(problem, complete=shard.cell.encoding == "sound") is not None:
        rejected = "ground_state"
    else:
        solved = solve_problem(problem, layers=shard.layers, decimals=shard.angle_decimals)
        quality = solved.quality
        gain = quality.approximation_ratio - quality.uniform_approximation_ratio
        if gain < shard.min_improvement:
            rejected = "min_improvement"
        else:
            text = solved.circuit.to_qasm(decimals=shard.angle_decimals)
            extras = {
                "parameters": {"gammas": list(solved.gammas), "betas": list(solved.betas)},
                "quality": asdict(quality),
                "version": GENERATOR_VERSION,
                "seed": shard.seed,
            }
            problem = replace(problem, reference_circuit=text)
            record = ProblemRecord(index, problem, "qaoa", shard.layers, extras).to_dict()
    return {"index": index, "rejected": rejected, "record": record}
