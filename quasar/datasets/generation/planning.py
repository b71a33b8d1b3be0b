"""Which candidates to solve next, so that primitives and sizes come out balanced.

Takes outcomes shard by shard; gives the next shards until every cell has its share. A cell that has
no new problem, or whose candidates are nearly all rejected, is exhausted: its share goes to the
other sizes of the primitive first, then to the other primitives. It always ends.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quasar.config import DatasetConfig
from quasar.datasets.generation.candidates import CandidateStream, Cell, Shard, load_row
from quasar.errors import ProblemError
from quasar.problems import get_problem

SHARD_SIZE = 10  # candidates; the most work that an interruption can lose a process
# A cell is given up after this many candidates for each example that it should give.
MAX_CANDIDATES_PER_EXAMPLE = 20
MIN_CANDIDATES = 200
MOST_QUBITS = 16  # of the sizes that an error offers; the most that dataset.max_qubits may be


@dataclass(frozen=True, slots=True)
class Accepted:
    """Where an example lies, and what is needed to order and sum up without reading it."""

    signature: str
    path: Path  # of its shard
    place: int  # line in it
    ansatz: str
    quality: Mapping[str, float]

    def row(self) -> dict[str, Any]:
        """The record in its shard."""
        return load_row(self.path, self.place)


@dataclass(slots=True)
class _CellState:
    stream: CandidateStream
    accepted: list[Accepted] = field(default_factory=list)
    num_solved: int = 0
    num_shards: int = 0
    given_up: bool = False

    @property
    def exhausted(self) -> bool:
        return self.given_up or self.stream.exhausted

    @property
    def capacity(self) -> float:
        return len(self.accepted) if self.exhausted else math.inf


class Planner:
    """Deterministic: the same outcomes give the same shards."""

    def __init__(self, settings: DatasetConfig, *, seed: int, directory: Path):
        self._settings, self._seed, self._directory = settings, seed, directory
        # dict.fromkeys: a primitive that is listed twice counts once.
        self._cells = {
            primitive: {
                n: _CellState(CandidateStream(Cell(primitive, n, settings.encoding), seed))
                for n in sizes_of(primitive, settings)
            }
            for primitive in dict.fromkeys(settings.primitives)
        }
        self.rejected: Counter[str] = Counter()

    @property
    def num_accepted(self) -> int:
        """Examples so far, those beyond a cell's share not counted."""
        return sum(min(len(state.accepted), target) for state, target in self._targets())

    def next_shards(self) -> list[Shard]:
        """The next round; empty when all shares are met or everything is exhausted."""
        while True:
            missing = [(s, t) for s, t in self._targets() if len(s.accepted) < t]
            if not missing:
                return []
            shards = [shard for state, target in missing for shard in self._draw(state, target)]
            if shards:
                return shards

    def take(self, shard: Shard, rows: Sequence[Mapping[str, Any]]) -> None:
        """Enter the outcome of a shard; call in the order of `next_shards`."""
        state = self._cells[shard.cell.primitive][shard.cell.num_qubits]
        state.num_solved += len(rows)
        for place, row in enumerate(rows):
            if row["rejected"] is None:
                record = row["record"]
                kept = record["signature"], shard.path, place, record["ansatz"], record["quality"]
                state.accepted.append(Accepted(*kept))
            else:
                self.rejected[row["rejected"]] += 1

    def examples(self) -> list[Accepted]:
        """What was accepted, each cell cut to its share."""
        return [row for state, target in self._targets() for row in state.accepted[:target]]

    def counts(self) -> dict[str, dict[str, int]]:
        """primitive -> qubits (as text) -> examples."""
        counts: dict[str, dict[str, int]] = {}
        for state, target in self._targets():
            cell = state.stream.cell
            by_size = counts.setdefault(cell.primitive, {})
            by_size[str(cell.num_qubits)] = min(len(state.accepted), target)
        return counts

    def exhausted(self) -> list[str]:
        """Names of the exhausted cells."""
        return [
            str(state.stream.cell)
            for sizes in self._cells.values()
            for state in sizes.values()
            if state.exhausted
        ]

    def _targets(self) -> Iterator[tuple[_CellState, int]]:
        """Each cell with its share: primitives balanced first, then sizes within a primitive."""
        primitives = [list(sizes.values()) for sizes in self._cells.values()]
        capacities = [sum(state.capacity for state in sizes) for sizes in primitives]
        shares = balanced(self._settings.num_examples, capacities)
        for sizes, share in zip(primitives, shares, strict=True):
            yield from zip(sizes, balanced(share, [s.capacity for s in sizes]), strict=True)

    def _draw(self, state: _CellState, target: int) -> list[Shard]:
        """Enough new candidates for the missing examples at the cell's acceptance rate so far."""
        limit = max(MIN_CANDIDATES, MAX_CANDIDATES_PER_EXAMPLE * target)
        if state.num_solved >= limit:
            state.given_up = True
            return []
        rate = max(0.1, len(state.accepted) / state.num_solved) if state.num_solved else 1.0
        wanted = math.ceil((target - len(state.accepted)) / rate)
        indices = state.stream.draw(min(wanted, limit - state.num_solved))
        shards = []
        for start in range(0, len(indices), SHARD_SIZE):
            shards.append(self._shard(state, indices[start : start + SHARD_SIZE]))
        return shards

    def _shard(self, state: _CellState, indices: Sequence[int]) -> Shard:
        cell = state.stream.cell
        path = self._directory / f"{cell}-{state.num_shards:05d}.jsonl"
        state.num_shards += 1
        return Shard(
            cell=cell,
            indices=tuple(indices),
            path=path,
            seed=self._seed,
            settings=self._settings,
        )


def sizes_of(primitive: str, settings: DatasetConfig) -> list[int]:
    """The numbers of qubits to generate, ascending; ProblemError where the primitive has none."""
    possible = get_problem(primitive, settings.encoding).possible_qubits(settings.max_qubits)
    sizes = [n for n in possible if n >= settings.min_qubits]
    if not sizes:
        raise ProblemError(
            f"dataset.primitives: {primitive} has no instance of {settings.min_qubits} to "
            f"{settings.max_qubits} qubits; sizes up to {MOST_QUBITS}: "
            f"{', '.join(map(str, get_problem(primitive).possible_qubits(MOST_QUBITS)))}"
        )
    return sizes


def balanced(total: int, capacities: Sequence[float]) -> list[int]:
    """Shares of `total`, as equal as the capacities allow; they sum to min(total, Σ capacities)."""
    shares = [0] * len(capacities)
    still_open = list(range(len(capacities)))
    while still_open:
        limited = [i for i in still_open if capacities[i] <= total / len(still_open)]
        if not limited:
            share, extra = divmod(total, len(still_open))
            for place, i in enumerate(still_open):
                shares[i] = share + (place < extra)
            break
        for i in limited:
            shares[i] = int(capacities[i])
            total -= shares[i]
        still_open = [i for i in still_open if i not in limited]
    return shares
