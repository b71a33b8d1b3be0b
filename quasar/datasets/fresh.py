"""Problems without solutions, drawn without end: each is a pure function of a seed and its number.

Takes the configuration; gives records of the problem set (`dataset.primitives`, sizes, encoding)
with a family and a depth to ask for, and no reference; or of any task, ones like given records. A
problem is of the split that its hash says (`generate.split_of`), so that what one draws to train on
is never what a dataset holds out.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, islice

import numpy as np

from quasar.config import DatasetConfig, QuasarConfig
from quasar.datasets.canonical_answers import basis_state_answer
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.generation.forms import Form, draw_form, require_ansatze
from quasar.datasets.generation.generate import SPLITS, split_of
from quasar.datasets.generation.task_examples import TaskCell
from quasar.datasets.records import ProblemRecord
from quasar.datasets.stream import MOST_TERMS, cells_by_size
from quasar.datasets.task_records import Record, TaskRecord
from quasar.errors import ProblemError
from quasar.problems.base import ProblemInstance

_STREAM, _LIKE = 13, 17  # apart from each other and the other random streams of a run
_ATTEMPTS = 5000  # a held-out split takes one problem in ten or twenty
_ATTEMPTS_LIKE = 100  # a kind may have few problems, and all others held out

Fits = Callable[[Record], bool]


class FreshProblems:
    """Draws problems of one split. fits: which of them may be asked, e.g. by length."""

    def __init__(self, config: QuasarConfig, *, split: str, fits: Fits = lambda record: True):
        """Raises ConfigError for a family that there is not."""
        self._config, self._split, self._fits = config, split, fits
        self._ansatze = config.improve.ansatze or config.dataset.ansatze
        require_ansatze(self._ansatze)
        # As the teacher's examples are.
        self._cells = cells_by_size(config.dataset, both=bool(config.sft.stream.examples))

    def records(self, first: int, number: int) -> list[ProblemRecord]:
        """Problems `first`, `first` + 1, …; raises ProblemError where none can be found."""
        return [self._record(k) for k in range(first, first + number)]

    def _record(self, number: int) -> ProblemRecord:
        for record in islice(self._drawn(number), _ATTEMPTS):
            if record is not None and self._fits(record):
                return record
        raise ProblemError(
            f"no {self._split} problem in {_ATTEMPTS} draws; widen dataset.min_qubits…max_qubits, "
            "dataset.primitives or generation.max_prompt_tokens, or set improve.source=train"
        )

    def _drawn(self, number: int) -> Iterator[ProblemRecord | None]:
        """One attempt after the other; None for a problem that is none of these."""
        split = SPLITS.index(self._split)
        for attempt in count():
            rng = np.random.default_rng([self._config.run.seed, _STREAM, split, number, attempt])
            size = self._cells[int(rng.integers(len(self._cells)))]
            cell = size[int(rng.integers(len(size)))]
            problem = make_candidate(cell, int(rng.integers(1 << 31)), number)
            if not _is_asked(problem, self._config.dataset, self._split):
                yield None
                continue
            settings = self._config.dataset
            form = draw_form(self._ansatze, settings.layers, problem.num_qubits, rng)
            yield self._asking(problem, form, number) if self._was_taught(form, problem) else None

    def _was_taught(self, form: Form, problem: ProblemInstance) -> bool:
        """The stream has examples of templates in closed form alone."""
        if not self._config.sft.stream.examples or form.optimization_type in ("qaoa", "ma_qaoa"):
            return True
        bits = [0] * problem.num_qubits
        return basis_state_answer(form.ansatz, bits, layers=form.layers, decimals=2) is not None

    def _asking(self, problem: ProblemInstance, form: Form, number: int) -> ProblemRecord:
        return ProblemRecord(
            number, problem, form.optimization_type, form.layers, {}, ansatz=form.ansatz
        )


class FreshLike:
    """Draws training problems like given ones: of the same task, family (of graph problems
    primitive and encoding) and size. fits: as of `FreshProblems`.
    """

    def __init__(self, config: QuasarConfig, *, fits: Fits = lambda record: True):
        self._config, self._fits = config, fits

    def record(self, like: Record, number: int) -> Record:
        """Number `number` of those like a record; the record itself where draw after draw is held
        out, or where its Hamiltonian is none of its primitive's own.
        """
        settings = self._config.dataset
        rng = np.random.default_rng([self._config.run.seed, _LIKE, number])
        for _ in range(_ATTEMPTS_LIKE):
            if isinstance(like, TaskRecord):
                of = like.problem
                problem = TaskCell(of.task, of.family, of.num_qubits).instance(rng)
                asked = _split_of(problem.key, settings) == "train"
                found: Record = TaskRecord(like.sample_index, problem)
            else:
                of = like.problem
                if of.encoding is None:
                    break
                cell = Cell(of.primitive, of.num_qubits, of.encoding)
                drawn = make_candidate(cell, int(rng.integers(1 << 31)), number)
                asked = _is_asked(drawn, settings, "train")
                found = replace(like, problem=drawn, extras={})
            if asked and self._fits(found):
                return found
        return like


def _is_asked(problem: ProblemInstance, settings: DatasetConfig, split: str) -> bool:
    if not 0 < len(problem.hamiltonian.terms) <= MOST_TERMS:
        return False
    if _split_of(problem.key, settings) != split:
        return False
    spectrum = problem.spectrum
    return spectrum.optimal.size < spectrum.energies.size


def _split_of(key: str, settings: DatasetConfig) -> str:
    return split_of(
        key,
        validation_fraction=settings.validation_fraction,
        test_fraction=settings.test_fraction,
    )
