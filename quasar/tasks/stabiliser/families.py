"""Targets by family: random Clifford operators and states, and encoders of codes.

Takes a family and a size; gives a `Target`. Codes are named by their distance where they have one;
their qubits stand in a random order, so that a code is many instances.
"""

from collections.abc import Callable, Mapping
from itertools import product

import numpy as np

from quasar.errors import TaskError
from quasar.simulation.stabiliser.tableau import PauliString
from quasar.tasks.stabiliser.target import Target

MAX_QUBITS = 100
FIELDS = ("stabilisers", "logical_x", "logical_z")  # of an instance's content
FAMILIES: Mapping[str, str] = {
    "clifford": "a random Clifford operator, given by the images of X and Z of each qubit",
    "state": "a random stabiliser state, given by its generators",
    "graph": "the graph state of a random sparse graph, given by its generators",
    "repetition": "the encoder of a repetition code",
    "five_qubit": "the encoder of the five-qubit code",
    "steane": "the encoder of the Steane code",
    "shor": "the encoder of Shor's code on 9 qubits",
    "surface": "the encoder of a rotated surface code of odd distance",
    "css": "the encoder of a random CSS code with one logical qubit",
    "custom": "an encoder, operator or state that is given row by row",
}
CODES = ("repetition", "five_qubit", "steane", "shor", "surface")  # one of each size
_SIZES: Mapping[str, Callable[[int], range | tuple[int, ...]]] = {
    "clifford": lambda most: range(2, most + 1),
    "state": lambda most: range(2, most + 1),
    "graph": lambda most: range(3, most + 1),
    "repetition": lambda most: range(3, most + 1, 2),
    "five_qubit": lambda most: (5,),
    "steane": lambda most: (7,),
    "shor": lambda most: (9,),
    "surface": lambda most: (9, 25, 49, 81),
    "css": lambda most: range(4, 41),
    "custom": lambda most: (),
}


def possible_qubits(family: str, at_most: int) -> tuple[int, ...]:
    """Sizes of the family, ascending."""
    most = min(at_most, MAX_QUBITS)
    return tuple(n for n in _SIZES[family](most) if n <= most)


def draw(rng: np.random.Generator, family: str, n: int) -> Target:
    """A random target of the family; its size is one of `possible_qubits`."""
    if family in ("clifford", "state"):
        rows = _random_rows(rng, n)
        if family == "state":
            return Target(n, tuple(rows[n:]))
        return Target(n, (), tuple(rows[:n]), tuple(rows[n:]))
    if family == "graph":
        return _graph(rng, n)
    if family == "css":
        return _random_css(rng, n)
    return _permuted(_code(family, n), rng.permutation(n).tolist())


def code(family: str, n: int) -> dict[str, list[str]]:
    """The content of a named code's encoder, its qubits in the usual order. Raises TaskError for a
    size that it does not have.
    """
    if n not in possible_qubits(family, MAX_QUBITS):
        raise TaskError(f"stabiliser: there is no {family} code on {n} qubits")
    return content_of(_code(family, n))


def named_code(family: str, n: int | None) -> tuple[dict[str, list[str]], int]:
    """(content, size) of one of `CODES`. Raises TaskError where the size is left open."""
    if n is None:
        n, *others = possible_qubits(family, MAX_QUBITS)
        if others:
            raise TaskError(f"stabiliser: field 'n_qubits' is missing; {family} has many sizes")
    return code(family, n), n


def content_of(target: Target) -> dict[str, list[str]]:
    """A target as plain JSON: lists of strings by name."""
    parts = (target.stabilisers, target.logical_x, target.logical_z)
    return {
        name: [row.word(target.num_qubits) for row in part]
        for name, part in zip(FIELDS, parts, strict=True)
    }


def _code(family: str, n: int) -> Target:
    if family == "repetition":
        pairs = [f"{'I' * q}ZZ{'I' * (n - q - 2)}" for q in range(n - 1)]
        return _of(n, pairs, "X" * n, "Z" + "I" * (n - 1))
    if family == "five_qubit":
        rows = ["XZZXI", "IXZZX", "XIXZZ", "ZXIXZ"]
        return _of(5, rows, "XXXXX", "ZZZZZ")
    if family == "steane":
        checks = ["IIIXXXX", "IXXIIXX", "XIXIXIX"]
        return _of(7, [*checks, *(c.replace("X", "Z") for c in checks)], "X" * 7, "Z" * 7)
    if family == "shor":
        pairs = [f"{'I' * q}ZZ{'I' * (7 - q)}" for q in (0, 1, 3, 4, 6, 7)]
        return _of(9, [*pairs, "XXXXXXIII", "IIIXXXXXX"], "Z" * 9, "X" * 9)
    return _surface(round(n**0.5))


def _surface(d: int) -> Target:
    """Rotated surface code: Z checks and X checks on alternate faces, pairs along the edges."""

    def word(letter: str, sites: list[tuple[int, int]]) -> str:
        inside = {r * d + c for r, c in sites if 0 <= r < d and 0 <= c < d}
        return "".join(letter if q in inside else "I" for q in range(d * d))

    checks = []
    for r, c in product(range(-1, d), repeat=2):
        corners = [(r, c), (r, c + 1), (r + 1, c), (r + 1, c + 1)]
        letter = "X" if (r + c) % 2 == 0 else "Z"
        on_rows, on_columns = r in (-1, d - 1), c in (-1, d - 1)
        # Pairs of X lie along the rows above and below, pairs of Z along the columns.
        if (
            (on_rows and on_columns)
            or (on_rows and letter == "Z")
            or (on_columns and letter == "X")
        ):
            continue
        checks.append(word(letter, corners))
    logical_x = word("X", [(r, 0) for r in range(d)])
    logical_z = word("Z", [(0, c) for c in range(d)])
    return _of(d * d, checks, logical_x, logical_z)


def _of(n: int, stabilisers: list[str], logical_x: str, logical_z: str) -> Target:
    of = PauliString.of
    return Target(n, tuple(map(of, stabilisers)), (of(logical_x),), (of(logical_z),))


def _permuted(target: Target, order: list[int]) -> Target:
    """Qubit q becomes qubit order[q]."""

    def moved(row: PauliString) -> PauliString:
        flips, signs = (
            sum((mask >> q & 1) << to for q, to in enumerate(order))
            for mask in (row.flips, row.signs)
        )
        return PauliString(flips, signs, row.negative)

    parts = (target.stabilisers, target.logical_x, target.logical_z)
    stabilisers, logical_x, logical_z = (tuple(map(moved, part)) for part in parts)
    return Target(target.num_qubits, stabilisers, logical_x, logical_z)


def _random_rows(rng: np.random.Generator, n: int) -> list[PauliString]:
    """Images of X and Z of each qubit under a uniformly random Clifford operator.

    Row pairs are drawn one after another: any string that commutes with those before, and any that
    anticommutes with it alone.
    """
    rows_x: list[PauliString] = []
    rows_z: list[PauliString] = []
    while len(rows_x) < n:
        one = _reduced(_random_string(rng, n), rows_x, rows_z)
        other = _reduced(_random_string(rng, n), rows_x, rows_z)
        if one.flips | one.signs and not one.commutes_with(other):
            rows_x.append(one)
            rows_z.append(other)
    # Signs are independent of the strings.
    signed = [
        PauliString(row.flips, row.signs, bool(rng.integers(2))) for row in (*rows_x, *rows_z)
    ]
    return signed


def _random_string(rng: np.random.Generator, n: int) -> PauliString:
    bits = rng.integers(0, 2, 2 * n)
    flips, signs = (sum(int(b) << q for q, b in enumerate(half)) for half in (bits[:n], bits[n:]))
    return PauliString(flips, signs)


def _reduced(row: PauliString, rows_x: list[PauliString], rows_z: list[PauliString]) -> PauliString:
    """The row times those before that make it commute with all of them (signs left aside)."""
    flips, signs = row.flips, row.signs
    for one, other in zip(rows_x, rows_z, strict=True):
        with_one, with_other = row.commutes_with(one), row.commutes_with(other)
        if not with_one:
            flips, signs = flips ^ other.flips, signs ^ other.signs
        if not with_other:
            flips, signs = flips ^ one.flips, signs ^ one.signs
    return PauliString(flips, signs)


def _graph(rng: np.random.Generator, n: int) -> Target:
    """X on each qubit and Z on its neighbours; a random tree and half as many edges more."""
    neighbours = [0] * n
    edges = [(q, int(rng.integers(q))) for q in range(1, n)]
    edges += [tuple(map(int, rng.choice(n, 2, replace=False))) for _ in range(n // 2)]
    for a, b in edges:
        neighbours[a] |= 1 << b
        neighbours[b] |= 1 << a
    return Target(n, tuple(PauliString(1 << q, neighbours[q]) for q in range(n)))


def _random_css(rng: np.random.Generator, n: int) -> Target:
    """A random Clifford circuit of cx alone, after which some qubits are checked in X, others in Z:
    checks and logical operators are each of one letter.
    """
    flips = np.eye(n, dtype=np.int64)  # images of X_q: rows; of Z_q: the inverse transposed
    signs = np.eye(n, dtype=np.int64)
    for _ in range(2 * n):
        a, b = map(int, rng.choice(n, 2, replace=False))
        flips[:, b] ^= flips[:, a]
        signs[:, a] ^= signs[:, b]
    masks = [
        [sum(int(bit) << q for q, bit in enumerate(row)) for row in table]
        for table in (flips, signs)
    ]
    in_x = set(rng.choice(np.arange(1, n), (n - 1) // 2, replace=False).tolist())
    rows = [
        PauliString(masks[0][q], 0) if q in in_x else PauliString(0, masks[1][q])
        for q in range(1, n)
    ]
    return Target(n, tuple(rows), (PauliString(masks[0][0], 0),), (PauliString(0, masks[1][0]),))
