"""What one episode is made for."""

from collections.abc import Sequence
from dataclasses import dataclass

from quasar.policy.engines.protocol import stream_seed
from quasar.policy.program_form import ProgramForm
from quasar.tasks.base import AnyInstance


@dataclass(frozen=True, slots=True)
class EpisodeTask:
    """One episode to make: a problem, its prompt, and where it stands among the others."""

    problem: AnyInstance
    messages: Sequence[dict[str, str]]
    group: int  # index of the prompt within the step
    sample: int  # index within the group
    stream: tuple[int, ...]  # key of its random stream
    form: ProgramForm | None = None  # of constrained programs; None: the published style

    def seed(self, turn: int) -> int:
        """Of the stream that a 0-based turn draws from."""
        return stream_seed(*self.stream, turn) if turn else stream_seed(*self.stream)
