"""Problems without solutions, drawn without end: each is a pure function of a seed and its number.

Takes the configuration; gives records of the problem set (`dataset.primitives`, sizes, encoding)
with a family and a depth to ask for, and no reference. A problem is of the split that its hash says
(`generate.split_of`), so that what one draws to train on is never what a dataset holds out.
"""

from collections.abc import Callable, Iterator
from itertools import count, islice

import numpy as np

from quasar.config import QuasarConfig
from quasar.datasets.canonical_answers import basis_state_answer
from quasar.datasets.generation.candidates import make_candidate
from quasar.datasets.generation.forms import Form, draw_form, require_ansatze
from quasar.datasets.generation.generate import SPLITS, split_of
from quasar.datasets.records import ProblemRecord
from quasar.datasets.stream import MOST_TERMS, cells_by_size
from quasar.errors import ProblemError
from quasar.problems.base import ProblemInstance

_STREAM = 13  # apart from the other random streams of a run
_ATTEMPTS = 5000  # a held-out split takes one problem in ten or twenty

Fits = Callable[[ProblemRecord], bool]


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
            if not self._is_asked(problem):
                yield None
                continue
            settings = self._config.dataset
            form = draw_form(self._ansatze, settings.layers, problem.num_qubits, rng)
            yield self._asking(problem, form, number) if self._was_taught(form, problem) else None

    def _is_asked(self, problem: ProblemInstance) -> bool:
        settings = self._config.dataset
        fractions = {
            "validation_fraction": settings.validation_fraction,
            "test_fraction": settings.test_fraction,
        }
        if not 0 < len(problem.hamiltonian.terms) <= MOST_TERMS:
            return False
        if split_of(problem.key, **fractions) != self._split:
            return False
        spectrum = problem.spectrum
        return spectrum.optimal.size < spectrum.energies.size

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
