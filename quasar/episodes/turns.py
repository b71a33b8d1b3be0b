"""One turn of an episode, as it is asked for and as it comes back.

Plain values, which may cross a process: the loop that decides on turns needs no tokenizer, and the
writer that has one knows nothing of episodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from quasar.policy.engines.protocol import Completion, Sampling
from quasar.policy.program_form import ProgramForm


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """One turn to write.

    sample: number of its episode among those of the request. ids: all that followed the prompt
    before this turn, as it was sampled and read; it is never tokenised again. observation: what
    the tool said of it; None before the first turn. form: of the programs that it
    is held to; None: free.
    """

    sample: int
    messages: Sequence[dict[str, str]]
    seed: int  # of the turn's random stream
    sampling: Sampling
    form: ProgramForm | None = None
    turn: int = 0
    ids: tuple[int, ...] = ()
    observation: str | None = None
    earlier: tuple[tuple[str, str], ...] = ()  # texts of the turns so far, and their observations


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """Turns that are written together; their answer comes when the last of them is whole.

    stream: tell the text as it grows.
    """

    turns: tuple[TurnRequest, ...]
    stream: bool = False


@dataclass(frozen=True, slots=True)
class WrittenTurn:
    """What one turn wrote.

    read_ids: the observation as the model read it, between the earlier ids and the completion's.
    """

    sample: int
    completion: Completion
    prompt_ids: tuple[int, ...] = ()
    read_ids: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """Of the completion."""
        return self.completion.text

    @property
    def finished(self) -> bool:
        """False where it was cut at the token limit."""
        return self.completion.finished


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text that one sample has gained."""

    sample: int
    text: str


@dataclass(frozen=True, slots=True)
class TextDeltas:
    """What the turns of a request have gained since the last time."""

    deltas: tuple[TextDelta, ...]


@dataclass(frozen=True, slots=True)
class PromptTooLong:
    """The prompt of a request does not fit; lengths in tokens."""

    sample: int
    num_tokens: int
    limit: int


Written = list[WrittenTurn] | PromptTooLong
