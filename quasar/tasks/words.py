"""Requests in a person's words: what the readers of the tasks share.

A reader takes what it understands out of the text, piece by piece; what is left over must be words
that say nothing, or the request is refused. Nothing is guessed and nothing ignored; what a person
left open is a note.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from quasar.errors import TaskError
from quasar.tasks.base import Task, TaskInstance

NUMBER = r"[-+]?\d+(?:\.\d+)?"
_NAMED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
          "eleven", "twelve")  # fmt: skip
_FILLERS = """
a an and answer at build can circuit circuits compute create do find for from generate get give has
have how i in is it its like make me must my need of on openqasm openqasm3 please prepare prepares
preparing program qasm quantum show state states system that the this to using want what whose which
with would write you
"""
_SAY_NOTHING = frozenset(_FILLERS.split())
_SHOWN = 80  # characters of what was not understood
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class AskedInstance:
    """What a text asks for, and what it left open."""

    instance: TaskInstance
    notes: tuple[str, ...] = ()


def asked_of(
    task: Task[Any, Any, Any],
    found: tuple[str, Mapping[str, Any], int | None, tuple[str, ...]] | None,
) -> AskedInstance | None:
    """The instance of a reader's (family, content, qubits, notes). Raises TaskError as `read`."""
    if found is None:
        return None
    family, content, num_qubits, notes = found
    return AskedInstance(task.read(family, content, num_qubits=num_qubits), notes)


class Words:
    """The text of a request; `take` removes what it finds. Numbers in words are read as digits."""

    def __init__(self, text: str):
        """Only the beginning of a long text is looked at; `require_read` refuses the rest."""
        self._long = len(text) > _LONGEST
        spelt = re.compile(rf"\b({'|'.join(_NAMED)})\b", re.IGNORECASE)
        self.left = spelt.sub(lambda m: str(_NAMED.index(m[0].lower())), text[:_LONGEST])

    def has(self, pattern: str) -> bool:
        """Whether the pattern is there, in any case."""
        return re.search(pattern, self.left, re.IGNORECASE) is not None

    def take(self, pattern: str, *, exact: bool = False) -> re.Match[str] | None:
        """The first match, taken out; exact: in this case alone."""
        found = re.search(pattern, self.left, 0 if exact else re.IGNORECASE)
        if found is not None:
            self.left = f"{self.left[: found.start()]} ; {self.left[found.end() :]}"
        return found

    def take_all(self, pattern: str, *, exact: bool = False) -> list[str]:
        """All matches, taken out."""
        found = []
        while (one := self.take(pattern, exact=exact)) is not None:
            found.append(one[0])
        return found

    def size(self, *units: str) -> int | None:
        """`5 qubits`, `5-qubit` and the like, in any of these units."""
        found = self.take(rf"\b(\d{{1,3}})[- ]?(?:{'|'.join(units)})s?\b")
        return None if found is None else int(found[1])

    def require_read(self, task: str, accepted: str) -> None:
        """Raises TaskError where words are left that say something."""
        words = re.findall(
            r"[^\s,;:.?!'\"()]+", re.sub(r"openqasm 3(\.0)?", " ", self.left.lower())
        )
        unread = [word for word in words if word not in _SAY_NOTHING]
        if self._long or unread:
            refuse(
                task, f"not understood: {' '.join(unread)[:_SHOWN] or 'a text so long'}", accepted
            )


def refuse(task: str, why: str, accepted: str) -> NoReturn:
    """Raises TaskError: what is wrong, and what is understood."""
    raise TaskError(f"{task}: {why}; write {accepted}")
