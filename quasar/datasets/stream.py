"""Solved examples without end: each is a pure function of a seed and its number.

Takes the configuration and records of the training split; gives prompts and answers, of tasks other
than graph problems by `quasar.datasets.task_stream`. Of graph problems prompts are compact and
answers canonical. No example is seen twice: graph problems of all primitives, in both encodings,
and random Ising models are drawn anew, and every Hamiltonian is taken in another guise of the same
problem, its qubits relabelled and some of its spins flipped. Both are exact: the mixer and the
uniform start do not see them, so QAOA's angles stay, and an optimum moves along.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quasar.circuits.canonical import NormalisedTerm, normalised_terms
from quasar.config import DatasetConfig, QuasarConfig
from quasar.config.task_names import GRAPH_TASK
from quasar.datasets.canonical_answers import basis_state_answer, qaoa_answer, with_plan
from quasar.datasets.compact import compact_messages
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.generation.forms import draw_form
from quasar.datasets.plan import PartialAssignment, worked_plan
from quasar.datasets.random_ising import random_ising
from quasar.datasets.records import ProblemRecord
from quasar.datasets.revised_examples import Revision, revised_angles, revised_bits
from quasar.datasets.task_records import Record, TaskRecord
from quasar.datasets.task_stream import TaskStream
from quasar.errors import ProblemError
from quasar.problems import get_problem
from quasar.problems.hamiltonian import IsingHamiltonian, Spectrum
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance

_STREAM = 11  # apart from the other random streams of a run
_ATTEMPTS = 20
_FIRST_PASSES = 4  # that are tried for one that single flips make right
_MISTAKES = (0.03, 0.4)  # shares of wrong bits in one
MOST_TERMS = 140  # of a Hamiltonian; larger ones make prompts that are seldom asked


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and the answer to it, what the prompt asks for, and which decisions of the answer's
    plan are mistakes that it makes good later (0-based, in the order of its lines).

    hamiltonian: of a graph problem; instance: of another task; before: the earlier turn that the
    answer revises.
    """

    messages: tuple[dict[str, str], ...]
    answer: str
    hamiltonian: IsingHamiltonian | None = None
    ansatz: str = ""
    layers: int = 1
    mistakes: frozenset[int] = frozenset()
    instance: TaskInstance | None = None
    before: Revision | None = None


class ExampleStream:
    """Draws examples. records: of graph problems those with QAOA parameters, others are left out;
    of other tasks all.
    """

    def __init__(self, config: QuasarConfig, records: Sequence[Record]):
        self._config, self._settings = config, config.sft.stream
        graphs = [r for r in records if isinstance(r, ProblemRecord)]
        self._tuned = [r for r in graphs if r.ansatz == "qaoa" and _parameters(r) is not None]
        self._cells = cells_by_size(config.dataset)
        self._tasks = TaskStream(config, [r for r in records if isinstance(r, TaskRecord)])

    def example(self, number: int, attempt: int = 0) -> Example:
        """Example `number` ≥ 0; another one for another attempt. Raises ProblemError where none
        could be made.
        """
        rng = np.random.default_rng([self._config.run.seed, _STREAM, number, attempt])
        if self._tasks.names and (name := self._tasks.drawn(rng)) != GRAPH_TASK:
            instance, answer = self._tasks.example(name, rng)
            asked = get_task(name).prompt(instance, style=self._config.dataset.prompts)
            return Example(tuple(asked), answer, instance=instance)
        if self._tuned and rng.random() >= self._settings.fresh:
            return self._qaoa(rng)
        for _ in range(_ATTEMPTS):
            found = self._fresh(number, rng)
            if found is not None:
                return found
        raise ProblemError(f"no example {number}: {_ATTEMPTS} problems had no closed form")

    def _qaoa(self, rng: np.random.Generator) -> Example:
        record = self._tuned[int(rng.integers(len(self._tuned)))]
        guise = Guise.draw(record.problem.num_qubits, rng)
        hamiltonian = guise.hamiltonian(record.problem.hamiltonian)
        parameters = _parameters(record)
        assert parameters is not None  # no others are kept
        decimals = self._config.dataset.angle_decimals
        program = qaoa_answer(hamiltonian, parameters, decimals=decimals)
        before = None
        if self._is_revised(rng):
            before = revised_angles(hamiltonian, parameters, rng, decimals=decimals)
        return _example(hamiltonian, "qaoa", record.n_layers, program, before=before)

    def _is_revised(self, rng: np.random.Generator) -> bool:
        share = self._settings.revisions
        return bool(share) and rng.random() < share

    def _fresh(self, number: int, rng: np.random.Generator) -> Example | None:
        """A new problem, its optimum found by enumeration; None where it has no example."""
        hamiltonian = self._hamiltonian(number, rng)
        if hamiltonian is None:
            return None
        spectrum = Spectrum.of(hamiltonian)
        if spectrum.optimal.size == spectrum.energies.size:
            return None
        n = hamiltonian.num_qubits
        hamiltonian, optimal = self._in_guise(hamiltonian, spectrum.optimal, rng)
        terms = normalised_terms(hamiltonian)
        if not terms:
            return None
        form = draw_form(self._settings.ansatze, self._settings.layers, n, rng)
        bits = _bits(optimal[int(rng.integers(len(optimal)))], n)
        program = basis_state_answer(
            form.ansatz, bits, layers=form.layers, decimals=self._config.dataset.angle_decimals
        )
        if program is None:
            return None
        if self._is_revised(rng):
            found = revised_bits(terms, bits, form, rng, self._config.dataset.angle_decimals)
            if found is not None:
                before, answer = found
                return _example(hamiltonian, form.ansatz, form.layers, answer, before=before)
        first: Sequence[int] = bits
        if self._settings.improving and rng.random() < self._settings.improving:
            first = _first_pass(terms, bits, rng)
        answer = with_plan(program, worked_plan(terms, bits, first))
        order = _order(terms, first)
        mistakes = frozenset(k for k, q in enumerate(order) if first[q] != bits[q])
        return _example(hamiltonian, form.ansatz, form.layers, answer, mistakes)

    def _hamiltonian(self, number: int, rng: np.random.Generator) -> IsingHamiltonian | None:
        settings = self._config.dataset
        if rng.random() < self._settings.random_ising:
            n = int(rng.integers(settings.min_qubits, settings.max_qubits + 1))
            hamiltonian = random_ising(rng, n)
        else:
            size = self._cells[int(rng.integers(len(self._cells)))]
            cell = size[int(rng.integers(len(size)))]
            seed = int(rng.integers(1 << 31))
            hamiltonian = make_candidate(cell, seed, number).hamiltonian
        return hamiltonian if 0 < len(hamiltonian.terms) <= MOST_TERMS else None

    def _in_guise(
        self, hamiltonian: IsingHamiltonian, optimal: np.ndarray, rng: np.random.Generator
    ) -> tuple[IsingHamiltonian, np.ndarray]:
        guise = Guise.draw(hamiltonian.num_qubits, rng)
        return guise.hamiltonian(hamiltonian), guise.states(optimal)


@dataclass(frozen=True, slots=True)
class Guise:
    """Another guise of a Hamiltonian: qubit q becomes `places[q]`, flipped where `flips[q]`."""

    places: np.ndarray  # (n,) a permutation
    flips: np.ndarray  # (n,) 0 or 1, by the old number of the qubit

    @classmethod
    def draw(cls, num_qubits: int, rng: np.random.Generator) -> "Guise":
        """A random one: half of them flip spins."""
        flips = rng.integers(0, 2, num_qubits) * int(rng.integers(0, 2))
        return cls(rng.permutation(num_qubits), flips)

    def hamiltonian(self, hamiltonian: IsingHamiltonian) -> IsingHamiltonian:
        """H with Z_q replaced by ±Z_{places[q]}."""
        terms = []
        for coefficient, wires in hamiltonian.terms:
            sign = -1.0 if int(self.flips[list(wires)].sum()) % 2 else 1.0
            terms.append((sign * coefficient, tuple(int(self.places[w]) for w in wires)))
        return IsingHamiltonian(hamiltonian.num_qubits, tuple(terms))

    def states(self, states: np.ndarray) -> np.ndarray:
        """Basis states (little-endian indices) of the old Hamiltonian, in the new one's qubits."""
        moved = np.zeros_like(states)
        for q, place in enumerate(self.places):
            moved |= ((states >> q & 1) ^ int(self.flips[q])) << int(place)
        return moved


def _example(
    hamiltonian: IsingHamiltonian,
    ansatz: str,
    layers: int,
    answer: str,
    mistakes: frozenset[int] = frozenset(),
    before: Revision | None = None,
) -> Example:
    messages = compact_messages(hamiltonian, ansatz=ansatz, layers=layers)
    return Example(tuple(messages), answer, hamiltonian, ansatz, layers, mistakes, before=before)


def _bits(state: int, num_qubits: int) -> list[int]:
    return [int(state) >> q & 1 for q in range(num_qubits)]


def _first_pass(
    terms: Sequence[NormalisedTerm], bits: Sequence[int], rng: np.random.Generator
) -> list[int]:
    """Bits with mistakes from which an improving pass leads to `bits`, or these themselves."""
    for _ in range(_FIRST_PASSES):
        wrong = rng.random(len(bits)) < rng.uniform(*_MISTAKES)
        first = [int(bit) ^ int(flip) for bit, flip in zip(bits, wrong, strict=True)]
        plan = PartialAssignment(terms, len(bits))
        while (qubit := plan.next()) is not None:
            plan.decide(qubit, first[qubit] if plan.undecided else 1 - plan.bits[qubit])
        if all(plan.bits[q] == bit for q, bit in enumerate(bits)):
            return first
    return list(bits)


def _order(terms: Sequence[NormalisedTerm], bits: Sequence[int]) -> list[int]:
    """The qubits as the first pass takes them."""
    plan, order = PartialAssignment(terms, len(bits)), []
    while plan.undecided:
        order.append(plan.clearest())
        plan.decide(order[-1], int(bits[order[-1]]))
    return order


def _parameters(record: ProblemRecord) -> list[float] | None:
    """(γ_1…γ_p, β_1…β_p) of a record that was solved here."""
    named = record.extras.get("parameters")
    if not isinstance(named, dict) or not {"gammas", "betas"} <= named.keys():
        return None
    return [*named["gammas"], *named["betas"]]


def cells_by_size(settings: DatasetConfig, *, both: bool = True) -> list[list[Cell]]:
    """For each number of qubits its cells: sizes are drawn evenly, then primitives.

    both: encodings; else that of the dataset alone.
    """
    sizes: dict[int, list[Cell]] = {}
    for name in settings.primitives:
        for encoding in get_problem(name).encodings if both else (settings.encoding,):
            for n in get_problem(name, encoding).possible_qubits(settings.max_qubits):
                if n >= settings.min_qubits:
                    sizes.setdefault(n, []).append(Cell(name, n, encoding))
    return [sizes[n] for n in sorted(sizes)]
