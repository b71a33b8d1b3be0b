"""Observables that need not be diagonal: real sums of Pauli strings.

Takes terms as words (`X0*Y2`), as text or as JSON; gives the sum in one canonical form: equal
strings added up, zero terms left out, terms in a fixed order, so that equal sums are equal objects.
Little-endian: the letter on qubit q acts on bit q of a basis state's index.

A string is two bit masks, `flips` (qubits with X or Y) and `signs` (qubits with Z or Y):
P|i⟩ = i^|flips∧signs| · (−1)^|i∧signs| · |i⊕flips⟩. Strings with the same flips are one group: one
pass over a state vector serves them all.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.problems.walsh import walsh_hadamard

IDENTITY = "I"
_LETTERS = {(1, 0): "X", (1, 1): "Y", (0, 1): "Z"}  # (flip, sign) -> letter
_MASKS = {letter: masks for masks, letter in _LETTERS.items()}
# Possessive quantifiers (*+) keep matching linear in the text, which may be hostile.
_FACTOR = re.compile(r"([XYZ])([0-9]{1,9})")
_NUMBER = re.compile(r"[+-]?+(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+")
_MOST_TERMS = 200_000
_POWERS_OF_I = (1.0, 1.0j, -1.0, -1.0j)


class PauliTerm(NamedTuple):
    """coefficient · string; the masks as the module says."""

    coefficient: float
    flips: int
    signs: int

    @property
    def qubits(self) -> tuple[int, ...]:
        """The qubits that the string acts on, ascending."""
        both, found = self.flips | self.signs, []
        while both:
            low = both & -both
            found.append(low.bit_length() - 1)
            both ^= low
        return tuple(found)

    @property
    def letters(self) -> str:
        """One letter for each of `qubits`."""
        return "".join(_LETTERS[self.flips >> q & 1, self.signs >> q & 1] for q in self.qubits)

    @property
    def word(self) -> str:
        """E.g. `X0*Y2`; `I` for the identity."""
        pairs = zip(self.letters, self.qubits, strict=True)
        return "*".join(f"{letter}{q}" for letter, q in pairs) or IDENTITY


class Group(NamedTuple):
    """Strings with the same flips."""

    flips: int
    terms: tuple[PauliTerm, ...]


class Basis(NamedTuple):
    """Strings that are measured together after one change of basis of each qubit.

    letters: for each qubit X, Y, Z, or I where none of the strings acts; diagonal: the strings
    with each letter read as Z.
    """

    letters: str
    diagonal: IsingHamiltonian


@dataclass(frozen=True)
class PauliSum:
    """Σ_k c_k P_k on `num_qubits` qubits, c_k real. Made by `of`, `from_text` or `from_dict`."""

    num_qubits: int
    terms: tuple[PauliTerm, ...]

    @classmethod
    def of(cls, num_qubits: int, terms: Iterable[tuple[float, str]]) -> "PauliSum":
        """From (coefficient, word) pairs; a word that comes twice is added up.

        Raises ProblemError for a word that is none, a qubit that is not there or named twice, and
        a coefficient that is no finite number.
        """
        if isinstance(num_qubits, bool) or not isinstance(num_qubits, int) or num_qubits < 1:
            raise ProblemError(f"observable: num_qubits is {num_qubits!r}, expected 1 or more")
        sums: dict[tuple[int, int], float] = {}
        for place, (coefficient, word) in enumerate(terms):
            if place >= _MOST_TERMS:
                raise ProblemError(f"observable: more than {_MOST_TERMS} terms")
            masks = _read_word(word, num_qubits)
            sums[masks] = sums.get(masks, 0.0) + _read_number(coefficient, word)
        if not math.isfinite(sum(map(abs, sums.values()))):
            raise ProblemError("observable: coefficients are too large: their sum is no number")
        return cls(num_qubits, _in_order(sums))

    @classmethod
    def from_text(cls, text: str, num_qubits: int) -> "PauliSum":
        """Read `to_text`'s form, e.g. `0.5*X0*X1 + -1*Z2 + 0.25*I`.

        Raises ProblemError naming the first text that is not a term.
        """
        terms = []
        for piece in text.split(" + ") if text.strip() else []:
            number = _NUMBER.match(piece.strip())
            rest = piece.strip()[number.end() :] if number else ""
            if number is None or not rest.startswith("*"):
                raise ProblemError(f"observable: not a term: {piece[:40]!r}; write it as 0.5*X0*Z1")
            terms.append((float(number[0]), rest[1:]))
        return cls.of(num_qubits, terms)

    def to_text(self) -> str:
        """Terms joined by ` + `; `from_text` of it gives an equal sum. Empty for no term."""
        return " + ".join(f"{_shortest(t.coefficient)}*{t.word}" for t in self.terms)

    @classmethod
    def from_dict(cls, given: Any) -> "PauliSum":
        """Read `to_dict`'s form. Raises ProblemError naming the field."""
        if not isinstance(given, Mapping) or set(given) != {"num_qubits", "terms"}:
            raise ProblemError("observable: expected an object with num_qubits and terms alone")
        if not isinstance(given["terms"], (list, tuple)):
            raise ProblemError("observable: 'terms' must be a list of [coefficient, word]")
        for place, term in enumerate(given["terms"]):
            if not isinstance(term, (list, tuple)) or len(term) != 2:
                raise ProblemError(f"observable: terms[{place}] must be [coefficient, word]")
        return cls.of(given["num_qubits"], ((c, word) for c, word in given["terms"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data: num_qubits, and terms as [coefficient, word]."""
        return {
            "num_qubits": self.num_qubits,
            "terms": [[term.coefficient, term.word] for term in self.terms],
        }

    @classmethod
    def from_ising(cls, hamiltonian: IsingHamiltonian) -> "PauliSum":
        """The diagonal Hamiltonian as a sum of Pauli strings."""
        return cls.of(
            hamiltonian.num_qubits,
            ((c, "*".join(f"Z{q}" for q in wires)) for c, wires in hamiltonian.interactions()),
        )

    @property
    def constant(self) -> float:
        """Coefficient of the identity."""
        return next((c for c, flips, signs in self.terms if not flips | signs), 0.0)

    @property
    def one_norm(self) -> float:
        """Σ|c_k|: no expectation value is larger."""
        return math.fsum(abs(term.coefficient) for term in self.terms)

    @property
    def is_real(self) -> bool:
        """Whether its matrix is: every string has an even number of Y."""
        return all((t.flips & t.signs).bit_count() % 2 == 0 for t in self.terms)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The terms by their flips, the diagonal group first."""
        by_flips: dict[int, list[PauliTerm]] = {}
        for term in self.terms:
            by_flips.setdefault(term.flips, []).append(term)
        return tuple(Group(flips, tuple(by_flips[flips])) for flips in sorted(by_flips))

    @cached_property
    def tables(self) -> np.ndarray:
        """d of each group, (groups, 2**n): the group takes |i⟩ to d[i]·|i⊕flips⟩.

        float64 where the sum is real, else complex128.
        """
        size = 1 << self.num_qubits
        tables = np.zeros((len(self.groups), size), np.float64 if self.is_real else np.complex128)
        for table, group in zip(tables, self.groups, strict=True):
            parts = np.zeros((2, size))
            for c, flips, signs in group.terms:
                power = _POWERS_OF_I[(flips & signs).bit_count() % 4]
                parts[0, signs] += c * power.real
                parts[1, signs] += c * power.imag
            table += walsh_hadamard(parts[0])
            if not self.is_real:
                table += 1j * walsh_hadamard(parts[1])
        tables.setflags(write=False)
        return tables

    @cached_property
    def bases(self) -> tuple[Basis, ...]:
        """The terms but the identity, by the bases in which they are measured (qubit-wise commuting
        strings share one; greedy, the longest strings first).
        """
        found: list[tuple[dict[int, str], list[PauliTerm]]] = []
        for term in sorted(self.terms, key=lambda t: -len(t.qubits)):
            own = dict(zip(term.qubits, term.letters, strict=True))
            if not own:
                continue
            for letters, members in found:
                if all(letters.get(q, letter) == letter for q, letter in own.items()):
                    letters.update(own)
                    members.append(term)
                    break
            else:
                found.append((own, [term]))
        return tuple(
            Basis(
                "".join(letters.get(q, IDENTITY) for q in range(self.num_qubits)),
                IsingHamiltonian(
                    self.num_qubits, tuple((t.coefficient, t.qubits) for t in members)
                ),
            )
            for letters, members in found
        )

    def scaled(self, factor: float, shift: float = 0.0) -> "PauliSum":
        """factor·self + shift·identity."""
        terms = [(factor * term.coefficient, term.word) for term in self.terms]
        return PauliSum.of(self.num_qubits, [*terms, (shift, IDENTITY)])

    def __getstate__(self):
        # What is cached is rebuilt on the other side rather than shipped.
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    def __setstate__(self, state):
        self.__dict__.update(state)


def _in_order(sums: Mapping[tuple[int, int], float]) -> tuple[PauliTerm, ...]:
    terms = [PauliTerm(c, flips, signs) for (flips, signs), c in sums.items() if c != 0.0]
    return tuple(sorted(terms, key=lambda t: (len(t.qubits), t.qubits, t.letters)))


def _read_word(word: Any, num_qubits: int) -> tuple[int, int]:
    if word == IDENTITY:
        return 0, 0
    if not isinstance(word, str):
        raise ProblemError(f"observable: {word!r} is no Pauli string; write it as X0*Z1")
    flips = signs = 0
    for factor in word.split("*"):
        match = _FACTOR.fullmatch(factor)
        if match is None:
            raise ProblemError(f"observable: {factor[:40]!r} is no X, Y or Z of a qubit, e.g. X0")
        flip, sign = _MASKS[match[1]]
        q = int(match[2])
        if q >= num_qubits:
            raise ProblemError(f"observable: {factor} where there are {num_qubits} qubits")
        if (flips | signs) >> q & 1:
            raise ProblemError(f"observable: qubit {q} is named twice in {word[:40]}")
        flips |= flip << q
        signs |= sign << q
    return flips, signs


def _read_number(value: Any, word: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise ProblemError(f"observable: the coefficient of {word} is {value!r}, not a number")
    if not math.isfinite(value):
        raise ProblemError(f"observable: the coefficient of {word} is {value}, not a finite number")
    return float(value)


def _shortest(number: float) -> str:
    """The shortest text of the number: `1` for 1.0."""
    return json.dumps(number).removesuffix(".0")
