"""Target states by family: what they are drawn from, how they are read, and their amplitudes.

Each family is one class with the same few methods; content is plain JSON data. Amplitudes are
little-endian; a ket in text and in content names qubit 0 first: |01⟩ is qubit 0 in 0, qubit 1 in 1.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from math import comb, sqrt
from typing import Any

import networkx as nx
import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.errors import TaskError
from quasar.tasks.programs import prepared

MAX_QUBITS = 12
Content = Mapping[str, Any]
_WHERE = "state_preparation: 'instance"
_NORM = 0.02  # how far the sum of the probabilities that are given may lie from 1
KNOWN: Mapping[str, tuple[tuple[complex, complex], tuple[str, ...]]] = {
    # name: (amplitudes, the gates that make it of |0⟩)
    "0": ((1, 0), ()),
    "1": ((0, 1), ("x",)),
    "+": ((sqrt(0.5), sqrt(0.5)), ("h",)),
    "-": ((sqrt(0.5), -sqrt(0.5)), ("x", "h")),
    "+i": ((sqrt(0.5), 1j * sqrt(0.5)), ("h", "s")),
    "-i": ((sqrt(0.5), -1j * sqrt(0.5)), ("h", "sdg")),
}
BELL = {"phi+": (0, 1), "phi-": (0, -1), "psi+": (1, 1), "psi-": (1, -1)}  # (flip, sign)


class Family(ABC):
    """One kind of target. All methods but `check` trust the content."""

    summary: str
    sizes: range  # that `draw` makes
    fields: tuple[str, ...] = ()  # of the content, all needed

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        """Random content."""

    @abstractmethod
    def check(self, content: Content, n: int) -> None:
        """Raises TaskError naming the field at fault; the names of the fields are right."""

    @abstractmethod
    def vector(self, content: Content, n: int) -> np.ndarray:
        """Amplitudes, complex128 (2**n,), normalised."""

    @abstractmethod
    def words(self, content: Content, n: int) -> str:
        """The target in a prompt, complete."""

    def circuit(self, content: Content, n: int) -> Circuit:
        """The teacher's: a textbook construction, else the exact preparation of the amplitudes."""
        return prepared(self.vector(content, n))


class Known(Family):
    """Each qubit in one of six states."""

    summary = "each qubit in one of |0>, |1>, |+>, |->, |+i>, |-i>"
    sizes = range(1, 9)
    fields = ("states",)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        return {"states": [str(name) for name in rng.choice(list(KNOWN), n)]}

    def check(self, content: Content, n: int) -> None:
        states = _list(content, "states", n, "one a qubit")
        for state in states:
            if state not in KNOWN:
                raise TaskError(f"{_WHERE}.states' has {state!r}; valid: {', '.join(KNOWN)}")

    def vector(self, content: Content, n: int) -> np.ndarray:
        return _product([KNOWN[name][0] for name in content["states"]])

    def words(self, content: Content, n: int) -> str:
        return "the product state " + "".join(f"|{name}>" for name in content["states"])

    def circuit(self, content: Content, n: int) -> Circuit:
        names = enumerate(content["states"])
        return Circuit(n, tuple(Gate(gate, (q,)) for q, name in names for gate in KNOWN[name][1]))


class Product(Family):
    """Each qubit turned by two angles."""

    summary = "each qubit in cos(a/2)|0> + e^(ib) sin(a/2)|1>"
    sizes = range(1, 9)
    fields = ("angles",)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        angles = zip(rng.uniform(0.3, 2.8, n), rng.uniform(-3.1, 3.1, n), strict=True)
        return {"angles": [[round(float(a), 2), round(float(b), 2)] for a, b in angles]}

    def check(self, content: Content, n: int) -> None:
        for pair in _list(content, "angles", n, "one pair a qubit"):
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                raise TaskError(f"{_WHERE}.angles' has {pair!r}, expected [a, b] in radians")
            for value in pair:
                _number("angles", value)

    def vector(self, content: Content, n: int) -> np.ndarray:
        return _product(
            [(np.cos(a / 2), np.exp(1j * b) * np.sin(a / 2)) for a, b in content["angles"]]
        )

    def words(self, content: Content, n: int) -> str:
        pairs = ", ".join(f"q{q}: a={a:g} b={b:g}" for q, (a, b) in enumerate(content["angles"]))
        return f"the product of cos(a/2)|0> + e^(ib) sin(a/2)|1>; {pairs}"

    def circuit(self, content: Content, n: int) -> Circuit:
        gates = []
        for q, (a, b) in enumerate(content["angles"]):
            gates += [Gate("ry", (q,), (float(a),)), Gate("rz", (q,), (float(b),))]
        return Circuit(n, tuple(gates))


class Bell(Family):
    """The four Bell states."""

    summary = "one of the four Bell states"
    sizes = range(2, 3)
    fields = ("which",)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        return {"which": str(rng.choice(list(BELL)))}

    def check(self, content: Content, n: int) -> None:
        if n != 2:
            raise TaskError(f"state_preparation: 'n_qubits' is {n}; a Bell state has 2")
        if content["which"] not in BELL:
            raise TaskError(f"{_WHERE}.which' is {content['which']!r}; valid: {', '.join(BELL)}")

    def vector(self, content: Content, n: int) -> np.ndarray:
        flip, sign = BELL[content["which"]]
        vector = np.zeros(4, dtype=np.complex128)
        # (|00⟩ ± |11⟩)/√2, (|01⟩ ± |10⟩)/√2
        vector[2 if flip else 0], vector[1 if flip else 3] = sqrt(0.5), sign * sqrt(0.5)
        return vector

    def words(self, content: Content, n: int) -> str:
        flip, sign = BELL[content["which"]]
        kets = ("|01>", "|10>") if flip else ("|00>", "|11>")
        return f"the Bell state ({kets[0]} {'+' if sign > 0 else '-'} {kets[1]})/sqrt(2)"

    def circuit(self, content: Content, n: int) -> Circuit:
        flip, sign = BELL[content["which"]]
        gates = [Gate("h", (0,)), *([Gate("z", (0,))] if sign < 0 else []), Gate("cx", (0, 1))]
        return Circuit(2, tuple([*gates, Gate("x", (1,))] if flip else gates))


class Ghz(Family):
    """(|0…0⟩ ± |1…1⟩)/√2."""

    summary = "the GHZ state (|0...0> + |1...1>)/sqrt(2), or with a minus"
    sizes = range(3, MAX_QUBITS + 1)
    fields = ("sign",)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        return {"sign": int(rng.choice([1, -1]))}

    def check(self, content: Content, n: int) -> None:
        if isinstance(content["sign"], bool) or content["sign"] not in (1, -1):
            raise TaskError(f"{_WHERE}.sign' is {content['sign']!r}, expected 1 or -1")
        _at_least(n, 2, "a GHZ state")

    def vector(self, content: Content, n: int) -> np.ndarray:
        vector = np.zeros(1 << n, dtype=np.complex128)
        vector[0], vector[-1] = sqrt(0.5), content["sign"] * sqrt(0.5)
        return vector

    def words(self, content: Content, n: int) -> str:
        sign = "+" if content["sign"] > 0 else "-"
        return f"the GHZ state (|{'0' * n}> {sign} |{'1' * n}>)/sqrt(2)"

    def circuit(self, content: Content, n: int) -> Circuit:
        first = [Gate("h", (0,)), *([Gate("z", (0,))] if content["sign"] < 0 else [])]
        return Circuit(n, tuple(first + [Gate("cx", (q, q + 1)) for q in range(n - 1)]))


class Dicke(Family):
    """All basis states with k ones, alike."""

    summary = "the Dicke state: all basis states with k ones, with equal amplitudes"
    sizes = range(4, 9)
    fields = ("ones",)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        return {"ones": int(rng.integers(2, n - 1))}

    def check(self, content: Content, n: int) -> None:
        k = content["ones"]
        if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k < n:
            raise TaskError(f"{_WHERE}.ones' is {k!r}, expected 1 to {n - 1}")

    def vector(self, content: Content, n: int) -> np.ndarray:
        ones = np.bitwise_count(np.arange(1 << n)) == content["ones"]
        return ones.astype(np.complex128) / sqrt(comb(n, content["ones"]))

    def words(self, content: Content, n: int) -> str:
        k = content["ones"]
        return f"the Dicke state of {n} qubits with {k} ones: all {comb(n, k)} basis states alike"

    def circuit(self, content: Content, n: int) -> Circuit:
        """Bärtschi and Eidenbenz, arXiv 1904.07358: split and cyclic shift, from the last qubit."""
        k = content["ones"]
        gates = [Gate("x", (q,)) for q in range(n - k, n)]
        for size in range(n, 1, -1):
            last = size - 1
            for many in range(1, min(k, size - 1) + 1):
                here = last - many
                angle = 2.0 * float(np.arccos(sqrt(many / size)))
                gates.append(Gate("cx", (here, last)))
                if many == 1:
                    gates.append(Gate("cry", (last, here), (angle,)))
                else:
                    gates += _doubly_controlled_ry(last, here + 1, here, angle)
                gates.append(Gate("cx", (here, last)))
        return Circuit(n, tuple(gates))


class W(Dicke):
    """One excitation, anywhere."""

    summary = "the W state: one excitation, on each qubit with the same amplitude"
    sizes = range(3, MAX_QUBITS + 1)
    fields = ()

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        return {}

    def check(self, content: Content, n: int) -> None:
        _at_least(n, 2, "a W state")

    def vector(self, content: Content, n: int) -> np.ndarray:
        return super().vector({"ones": 1}, n)

    def words(self, content: Content, n: int) -> str:
        return f"the W state of {n} qubits: all {n} basis states with a single 1, alike"

    def circuit(self, content: Content, n: int) -> Circuit:
        gates = [Gate("x", (0,))]
        for q in range(n - 1):
            angle = 2.0 * float(np.arccos(sqrt(1.0 / (n - q))))
            gates += [Gate("cry", (q, q + 1), (angle,)), Gate("cx", (q + 1, q))]
        return Circuit(n, tuple(gates))


class GraphState(Family):
    """|+…+⟩ with a controlled Z on each edge of a graph."""

    summary = "the graph state: |+...+> with a controlled Z on each edge"
    sizes = range(3, 11)
    fields = ("edges",)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        tree = nx.random_labeled_tree(n, seed=int(rng.integers(1 << 31)))
        edges = {(min(e), max(e)) for e in tree.edges}
        others = [(a, b) for a in range(n) for b in range(a + 1, n) if (a, b) not in edges]
        more = rng.permutation(len(others))[: int(rng.integers(0, min(len(others), n // 2) + 1))]
        return {"edges": sorted([list(map(int, e)) for e in (*edges, *(others[i] for i in more))])}

    def check(self, content: Content, n: int) -> None:
        edges, seen = content["edges"], set()
        if not isinstance(edges, (list, tuple)) or not edges:
            raise TaskError(f"{_WHERE}.edges' must be a list of [qubit, qubit], not empty")
        for edge in edges:
            good = isinstance(edge, (list, tuple)) and len(edge) == 2
            if not good or any(isinstance(q, bool) or not isinstance(q, int) for q in edge):
                raise TaskError(f"{_WHERE}.edges' has {edge!r}, expected [qubit, qubit]")
            if not all(0 <= q < n for q in edge) or edge[0] == edge[1]:
                raise TaskError(f"{_WHERE}.edges' has {list(edge)}; qubits are 0 to {n - 1}")
            if frozenset(edge) in seen:
                raise TaskError(f"{_WHERE}.edges' has {list(edge)} twice")
            seen.add(frozenset(edge))

    def vector(self, content: Content, n: int) -> np.ndarray:
        states = np.arange(1 << n)
        odd = sum(
            (states >> a & states >> b & 1 for a, b in content["edges"]), np.zeros(1 << n, int)
        )
        return ((1.0 - 2.0 * (odd & 1)) / sqrt(1 << n)).astype(np.complex128)

    def words(self, content: Content, n: int) -> str:
        edges = " ".join(f"{a}-{b}" for a, b in content["edges"])
        return f"the graph state (|+> on every qubit, then CZ on each edge) of the edges {edges}"

    def circuit(self, content: Content, n: int) -> Circuit:
        start = [Gate("h", (q,)) for q in range(n)]
        return Circuit(n, tuple(start + [Gate("cz", (a, b)) for a, b in content["edges"]]))


class Cluster(GraphState):
    """The graph state of a chain, a ring, or a square patch of two rows."""

    summary = "the cluster state of a chain, a ring or a patch of two rows"
    sizes = range(3, MAX_QUBITS + 1)
    fields = ("shape",)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        shapes = ("chain", "ring", "rows") if n % 2 == 0 and n > 4 else ("chain", "ring")
        return {"shape": str(rng.choice(shapes))}

    def check(self, content: Content, n: int) -> None:
        if content["shape"] not in ("chain", "ring", "rows"):
            raise TaskError(f"{_WHERE}.shape' is {content['shape']!r}; valid: chain, ring, rows")
        _at_least(n, 3 if content["shape"] == "ring" else 2, f"a {content['shape']}")
        if content["shape"] == "rows" and n % 2:
            raise TaskError(f"{_WHERE}.shape' rows needs an even number of qubits, not {n}")

    def _graph(self, content: Content, n: int) -> Content:
        half = n // 2
        edges = [[q, q + 1] for q in range(n - 1)]
        if content["shape"] == "ring":
            edges.append([0, n - 1])
        if content["shape"] == "rows":
            edges = [e for e in edges if e[1] != half] + [[q, q + half] for q in range(half)]
        return {"edges": edges}

    def vector(self, content: Content, n: int) -> np.ndarray:
        return super().vector(self._graph(content, n), n)

    def words(self, content: Content, n: int) -> str:
        what = super().words(self._graph(content, n), n).replace("graph state", "cluster state")
        return f"{what} ({content['shape']})"

    def circuit(self, content: Content, n: int) -> Circuit:
        return super().circuit(self._graph(content, n), n)


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
            raise TaskError(f"{_WHERE}.amplitudes' must be an object from ket to [re, im]")
        for ket, value in given.items():
            if not isinstance(ket, str) or len(ket) != n or set(ket) - {"0", "1"}:
                raise TaskError(f"{_WHERE}.amplitudes' has {ket!r}, expected {n} characters 0 or 1")
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
        given = _list(content, "amplitudes", 1 << n, "one a basis state, |0...0> first")
        for value in given:
            self._check_value(value)
        _check_norm([complex(*_as_pair(value)) for value in given])

    def _check_value(self, value: Any) -> None:
        _number("amplitudes", value)

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
            _number(name, content[name])
        if not 0 <= content["mean"] <= (1 << n) - 1:
            raise TaskError(f"{_WHERE}.mean' is {content['mean']}, expected 0 to {(1 << n) - 1}")
        if content["width"] < 0.2:
            raise TaskError(f"{_WHERE}.width' is {content['width']}, expected at least 0.2")

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


FAMILIES: Mapping[str, Family] = {
    "known": Known(),
    "product": Product(),
    "bell": Bell(),
    "ghz": Ghz(),
    "w": W(),
    "dicke": Dicke(),
    "graph": GraphState(),
    "cluster": Cluster(),
    "sparse": Sparse(),
    "real": Real(),
    "complex": Complex(),
    "gaussian": Gaussian(),
}


def _doubly_controlled_ry(first: int, second: int, target: int, angle: float) -> list[Gate]:
    half = angle / 2
    return [
        Gate("cry", (second, target), (half,)),
        Gate("cx", (first, second)),
        Gate("cry", (second, target), (-half,)),
        Gate("cx", (first, second)),
        Gate("cry", (first, target), (half,)),
    ]


def _product(states: Sequence[Sequence[complex]]) -> np.ndarray:
    vector = np.ones(1, dtype=np.complex128)
    for state in states:
        vector = np.kron(np.array(state, dtype=np.complex128), vector)
    return vector


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


def _list(content: Content, name: str, count: int, what: str) -> Sequence[Any]:
    given = content[name]
    if not isinstance(given, (list, tuple)) or len(given) != count:
        got = f"{len(given)} entries" if isinstance(given, (list, tuple)) else repr(given)
        raise TaskError(f"{_WHERE}.{name}' is {got}, expected a list of {count}: {what}")
    return given


def _number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e6:
        raise TaskError(f"{_WHERE}.{name}' has {value!r}, expected a number")


def _complex(name: str, value: Any) -> None:
    parts = value if isinstance(value, (list, tuple)) else [value]
    if not 1 <= len(parts) <= 2:
        raise TaskError(f"{_WHERE}.{name}' has {value!r}, expected a number or [re, im]")
    for part in parts:
        _number(name, part)


def _check_norm(values: Sequence[complex]) -> None:
    norm = sum(abs(value) ** 2 for value in values)
    if abs(norm - 1.0) > _NORM:
        raise TaskError(
            f"{_WHERE}.amplitudes': the squares sum to {norm:.4g}, not 1; divide them by "
            f"{sqrt(norm):.4g}"
            if norm > 0
            else f"{_WHERE}.amplitudes' are all 0"
        )


def _at_least(n: int, least: int, what: str) -> None:
    if n < least:
        raise TaskError(f"state_preparation: 'n_qubits' is {n}; {what} has at least {least}")
