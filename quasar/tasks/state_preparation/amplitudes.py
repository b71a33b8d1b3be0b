"""States that are given by their amplitudes, or by a curve that these follow."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np

from quasar.errors import TaskError
from quasar.tasks.state_preparation.family import (
    WHERE,
    Content,
    Family,
    list_of,
    require_number,
)

_NORM = 0.02  # how far the sum of the probabilities that are given may lie from 1


class Sparse(Family):
    """A superposition of a few basis states."""

    summary = "a superposition of a few basis states with given amplitudes"
    sizes = range(2, 9)
    fields = ("amplitudes",)
    _least = 0.15  # amplitude of a branch: dropping one is no success

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        count = int(rng.integers(2, min(5, 1 << n)))
        while True:
            states = rng.choice(1 << n, count, replace=False)
            values = rng.normal(size=count) + 1j * rng.normal(size=count) * rng.integers(0, 2)
            values /= np.linalg.norm(values)
            if np.abs(values).min() >= self._least:
                break
        return {
            "amplitudes": {
                _ket(int(state), n): _pair(value)
                for state, value in zip(states, values, strict=True)
            }
        }

    def check(self, content: Content, n: int) -> None:
        given = content["amplitudes"]
        if not isinstance(given, Mapping) or not given:
            raise TaskError(f"{WHERE}.amplitudes' must be an object from ket to [re, im]")
        for ket, value in given.items():
            if not isinstance(ket, str) or len(ket) != n or set(ket) - {"0", "1"}:
                raise TaskError(f"{WHERE}.amplitudes' has {ket!r}, expected {n} characters 0 or 1")
            _complex("amplitudes", value)
        _check_norm([complex(*_as_pair(value)) for value in given.values()])

    def vector(self, content: Content, n: int) -> np.ndarray:
        vector = np.zeros(1 << n, dtype=np.complex128)
        for ket, value in content["amplitudes"].items():
            vector[int(ket[::-1], 2)] = complex(*_as_pair(value))
        return vector / np.linalg.norm(vector)

    def words(self, content: Content, n: int) -> str:
        given = content["amplitudes"].items()
        return " + ".join(f"{_shown(complex(*_as_pair(v)))}|{ket}>" for ket, v in given)


class Real(Sparse):
    """All amplitudes given, real."""

    summary = "any state with real amplitudes"
    sizes = range(1, 5)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        return {"amplitudes": [round(float(a), 3) for a in _random_unit(rng.normal(size=1 << n))]}

    def check(self, content: Content, n: int) -> None:
        given = list_of(content, "amplitudes", 1 << n, "one a basis state, |0...0> first")
        for value in given:
            self._check_value(value)
        _check_norm([complex(*_as_pair(value)) for value in given])

    def _check_value(self, value: Any) -> None:
        require_number("amplitudes", value)

    def vector(self, content: Content, n: int) -> np.ndarray:
        vector = np.array([complex(*_as_pair(value)) for value in content["amplitudes"]])
        return vector / np.linalg.norm(vector)

    def words(self, content: Content, n: int) -> str:
        given = enumerate(complex(*_as_pair(v)) for v in content["amplitudes"])
        return " + ".join(f"{_shown(value)}|{_ket(state, n)}>" for state, value in given if value)


class Complex(Real):
    """All amplitudes given, complex."""

    summary = "any state"
    sizes = range(1, 5)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        values = rng.normal(size=1 << n) + 1j * rng.normal(size=1 << n)
        return {"amplitudes": [_pair(value) for value in _random_unit(values)]}

    def _check_value(self, value: Any) -> None:
        _complex("amplitudes", value)


class Gaussian(Family):
    """Amplitudes along a bell curve over the numbers 0…2**n − 1."""

    summary = "a Gaussian over the numbers that the register holds, qubit 0 the lowest bit"
    sizes = range(2, 9)
    fields = ("mean", "width")

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        size = (1 << n) - 1
        mean, width = rng.uniform(0.25, 0.75) * size, rng.uniform(0.12, 0.4) * size
        return {"mean": round(float(mean), 2), "width": round(float(width), 2)}

    def check(self, content: Content, n: int) -> None:
        for name in self.fields:
            require_number(name, content[name])
        if not 0 <= content["mean"] <= (1 << n) - 1:
            raise TaskError(f"{WHERE}.mean' is {content['mean']}, expected 0 to {(1 << n) - 1}")
        if content["width"] < 0.2:
            raise TaskError(f"{WHERE}.width' is {content['width']}, expected at least 0.2")

    def vector(self, content: Content, n: int) -> np.ndarray:
        x = np.arange(1 << n)
        vector = np.exp(-(((x - content["mean"]) / content["width"]) ** 2) / 4)
        return (vector / np.linalg.norm(vector)).astype(np.complex128)

    def words(self, content: Content, n: int) -> str:
        return (
            f"the Gaussian with amplitudes exp(-(x-{content['mean']:g})^2/"
            f"(4*{content['width']:g}^2)), normalised, where x is the number in the register, "
            "qubit 0 its lowest bit"
        )


def _random_unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values)


def _ket(state: int, n: int) -> str:
    return "".join(str(state >> q & 1) for q in range(n))


def _pair(value: complex) -> list[float]:
    return [round(float(value.real), 3) + 0.0, round(float(value.imag), 3) + 0.0]


def _as_pair(value: Any) -> tuple[float, float]:
    return (float(value[0]), float(value[1])) if isinstance(value, (list, tuple)) else (value, 0.0)


def _shown(value: complex) -> str:
    if value.imag == 0:
        return f"{value.real:g}"
    return f"({value.real:g}{value.imag:+g}i)"


def _complex(name: str, value: Any) -> None:
    parts = value if isinstance(value, (list, tuple)) else [value]
    if not 1 <= len(parts) <= 2:
        raise TaskError(f"{WHERE}.{name}' has {value!r}, expected a number or [re, im]")
    for part in parts:
        require_number(name, part)


def _check_norm(values: Sequence[complex]) -> None:
    norm = sum(abs(value) ** 2 for value in values)
    if abs(norm - 1.0) > _NORM:
        raise TaskError(
            f"{WHERE}.amplitudes': the squares sum to {norm:.4g}, not 1; divide them by "
            f"{sqrt(norm):.4g}"
            if norm > 0
            else f"{WHERE}.amplitudes' are all 0"
        )
