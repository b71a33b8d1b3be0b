"""How many rows of a problem file the registered primitives reproduce, term by term."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quasar.datasets.records import ProblemRecord
from quasar.problems import decoder_for


@dataclass(slots=True)
class FormulaCheck:
    """The rows of one primitive."""

    rows: int = 0
    # "encoding, variable order" -> rows whose Hamiltonian it reproduces
    by_form: Counter[str] = field(default_factory=Counter)

    @property
    def exact(self) -> int:
        """Rows whose Hamiltonian is reproduced from graph and attributes, term by term."""
        return self.by_form.total()

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain JSON data."""
        return {"rows": self.rows, "exact": self.exact, "by_form": dict(self.by_form)}


def check_problems(records: Iterable[ProblemRecord]) -> Mapping[str, FormulaCheck]:
    """primitive -> its rows and how many are reproduced, by name; unregistered ones have none."""
    found: dict[str, FormulaCheck] = {}
    for record in records:
        check = found.setdefault(record.problem.primitive, FormulaCheck())
        check.rows += 1
        problem = decoder_for(record.problem)
        if problem is not None:
            check.by_form[f"{problem.encoding}, {problem.order} order"] += 1
    return dict(sorted(found.items()))
