"""How a small policy writes the answers of a task: pieces of text, and scripts.

A piece is text that is one token of the small policy's tokenizer. A script is a generator: it
yields the text that must follow and the choices behind it, and is sent the choice that was made;
what follows of itself costs the policy nothing, what is to be found out is a choice. All choices
are whole pieces, so that texts tokenised one by one are what the whole is tokenised to.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from quasar.circuits.circuit import format_angle

_LARGEST_NUMBER = 3.15  # just over π
_SMALL_STEPS = 100  # thousandths below 0.1


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text; features: names that pieces share."""

    text: str
    features: tuple[str, ...] = ()


class Step(NamedTuple):
    """Forced text, and what may follow it; without choices it is the last."""

    text: str
    choices: tuple[str, ...]


Script = Generator[Step, str, None]


def follow(script: Script, choose: Callable[[tuple[str, ...]], str]) -> str:
    """The whole text, each choice made by `choose`, which is asked in the order of the script."""
    step = next(script)
    text = step.text
    while step.choices:
        chosen = choose(step.choices)
        step = script.send(chosen)
        text += chosen + step.text
    return text


def number_texts(*, decimals: int) -> list[str]:
    """Numbers to just over π: in steps of the decimals, at most hundredths; with three, thousandths
    below 0.1 too.
    """
    places = min(decimals, 2)
    largest = int(_LARGEST_NUMBER * 10**places)
    texts = [format_angle(k / 10**places, places) for k in range(-largest, largest + 1)]
    if decimals > 2:
        texts += [format_angle(k / 1000, 3) for k in range(-_SMALL_STEPS + 1, _SMALL_STEPS)]
    return list(dict.fromkeys(texts))


@cache
def angle_texts(decimals: int) -> tuple[str, ...]:
    """These numbers as float literals."""
    return tuple(map(_literal, number_texts(decimals=decimals)))


def angle_text(angle: float, decimals: int) -> str:
    """The one of `angle_texts` that is nearest to an angle in (−π, π]."""
    places = 3 if decimals > 2 and abs(angle) < 0.0995 else min(decimals, 2)
    return _literal(format_angle(angle, places))


def _literal(text: str) -> str:
    return text if "." in text else f"{text}.0"
