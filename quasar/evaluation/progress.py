"""What an evaluation that was interrupted had already graded: a log of one line a problem.

Lines follow the order of the generation file, so the log is always a beginning of it.
"""

from collections.abc import Iterator
from dataclasses import asdict

from quasar.evaluation.grade import Graded
from quasar.system.resumable import RowLog


class ProgressLog(RowLog):
    """Appends what was graded, and gives back what an earlier run had appended.

    The log is removed when the context is left without an error.
    """

    def __exit__(self, kind, error, traceback) -> None:
        super().__exit__(kind, error, traceback)
        if kind is None:
            self.remove()

    def graded(self) -> Iterator[Graded]:
        """The first `num_done` results, in order."""
        return (Graded(**row) for row in self.done())

    def add_graded(self, graded: Graded) -> None:
        """Append one result; it survives this process."""
        self.add(asdict(graded))
