"""Each row's own draw, within vLLM: a logits processor that leaves one token of each.

Imported by vLLM itself, by name, and only where vLLM is installed. The engine core runs in the same
process, so a request names its row by a number.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any, ClassVar

import torch
from vllm.v1.sample.logits_processor import (  # pyright: ignore[reportMissingImports]  # an extra
    LogitsProcessor,
    process_dict_updates,
)

from quasar.policy.engines.decoding import DecodingRow, Drawn, draw_next

ROW = "quasar_row"  # of a request's extra arguments


class Draws:
    """The rows of this process's requests, by number, and what was drawn for each last.

    A draw is not written at once: of a prompt that is read in parts, or read again after its blocks
    were taken, vLLM drops the tokens that come before its last part. The next draw is the same.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self._rows: dict[int, DecodingRow] = {}
        self._drawn: dict[int, Drawn] = {}

    def enter(self, row: DecodingRow) -> int:
        """The row's number."""
        number = next(self._numbers)
        self._rows[number] = row
        return number

    def leave(self, number: int) -> None:
        """Forget a row."""
        self._rows.pop(number, None)
        self._drawn.pop(number, None)

    def last(self, number: int) -> Drawn:
        """What was drawn last."""
        return self._drawn[number]

    def draw(self, places: Mapping[int, int], logits: torch.Tensor) -> None:
        """Draw for the rows of these numbers, by their places in logits (batch, vocab), which are
        changed so that the drawn token is the most likely.
        """
        here = {at: number for at, number in places.items() if number in self._rows}
        if not here:
            return
        at = torch.tensor(list(here), device=logits.device)
        drawn = draw_next([self._rows[number] for number in here.values()], logits[at])
        self._drawn.update(zip(here.values(), drawn, strict=True))
        logits[at, torch.tensor([one.token for one in drawn], device=logits.device)] = torch.inf


class RowDraws(LogitsProcessor):
    """See vLLM's LogitsProcessor."""

    draws: ClassVar[Draws] = Draws()

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool):
        self._places: dict[int, int] = {}  # in the batch -> number of its row

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: Any) -> None:
        process_dict_updates(
            self._places, batch_update, lambda params, *_: (params.extra_args or {}).get(ROW)
        )

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        self.draws.draw(self._places, logits)
        return logits
