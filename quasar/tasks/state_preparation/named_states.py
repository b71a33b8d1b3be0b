"""States that have a name, or are products: each with its textbook construction."""

from collections.abc import Mapping, Sequence
from math import comb, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.errors import TaskError
from quasar.system.lazy import lazy_module
from quasar.tasks.state_preparation.family import (
    MAX_QUBITS,
    WHERE,
    Content,
    Family,
    list_of,
    require_number,
    require_qubits,
)
from quasar.tasks.state_preparation.script import Steps, edge_text, turns_text
from quasar.tasks.writing import angle_text

if TYPE_CHECKING:
    import networkx as nx
else:
    nx = lazy_module("networkx")

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


class Known(Family):
    """Each qubit in one of six states."""

    summary = "each qubit in one of |0>, |1>, |+>, |->, |+i>, |-i>"
    sizes = range(1, 9)
    fields = ("states",)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        return {"states": [str(name) for name in rng.choice(list(KNOWN), n)]}

    def check(self, content: Content, n: int) -> None:
        states = list_of(content, "states", n, "one a qubit")
        for state in states:
            if state not in KNOWN:
                raise TaskError(f"{WHERE}.states' has {state!r}; valid: {', '.join(KNOWN)}")

    def vector(self, content: Content, n: int) -> np.ndarray:
        return _product([KNOWN[name][0] for name in content["states"]])

    def words(self, content: Content, n: int) -> str:
        return "the product state " + "".join(f"|{name}>" for name in content["states"])

    def compact(self, content: Content, n: int) -> str:
        return "".join(f" q{q} |{name}>" for q, name in enumerate(content["states"]))

    def circuit(self, content: Content, n: int) -> Circuit:
        return Circuit(n, tuple(gate for _, gates in self.steps(content, n) for gate in gates))

    def steps(self, content: Content, n: int) -> Steps:
        return [
            (f" q{q} |{name}>", [Gate(gate, (q,)) for gate in KNOWN[name][1]])
            for q, name in enumerate(content["states"])
        ]


class Product(Family):
    """Each qubit turned by two angles."""

    summary = "each qubit in cos(a/2)|0> + e^(ib) sin(a/2)|1>"
    sizes = range(1, 9)
    fields = ("angles",)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        angles = zip(rng.uniform(0.3, 2.8, n), rng.uniform(-3.1, 3.1, n), strict=True)
        return {"angles": [[round(float(a), 2), round(float(b), 2)] for a, b in angles]}

    def check(self, content: Content, n: int) -> None:
        for pair in list_of(content, "angles", n, "one pair a qubit"):
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                raise TaskError(f"{WHERE}.angles' has {pair!r}, expected [a, b] in radians")
            for value in pair:
                require_number("angles", value)

    def vector(self, content: Content, n: int) -> np.ndarray:
        return _product(
            [(np.cos(a / 2), np.exp(1j * b) * np.sin(a / 2)) for a, b in content["angles"]]
        )

    def words(self, content: Content, n: int) -> str:
        pairs = ", ".join(f"q{q}: a={a:g} b={b:g}" for q, (a, b) in enumerate(content["angles"]))
        return f"the product of cos(a/2)|0> + e^(ib) sin(a/2)|1>; {pairs}"

    def compact(self, content: Content, n: int) -> str:
        pairs = enumerate(content["angles"])
        return "".join(turns_text(q, f"{a:g}", f"{b:g}") for q, (a, b) in pairs)

    def circuit(self, content: Content, n: int) -> Circuit:
        return Circuit(n, tuple(gate for _, gates in self.steps(content, n) for gate in gates))

    def steps(self, content: Content, n: int) -> Steps:
        return [
            (
                turns_text(q, angle_text(a, 3), angle_text(b, 3)),
                [Gate("ry", (q,), (float(a),)), Gate("rz", (q,), (float(b),))],
            )
            for q, (a, b) in enumerate(content["angles"])
        ]


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
            raise TaskError(f"{WHERE}.which' is {content['which']!r}; valid: {', '.join(BELL)}")

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

    def compact(self, content: Content, n: int) -> str:
        flip, sign = BELL[content["which"]]
        return f" {'01' if flip else '00'} {'+' if sign > 0 else '-'}"

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
            raise TaskError(f"{WHERE}.sign' is {content['sign']!r}, expected 1 or -1")
        require_qubits(n, 2, "a GHZ state")

    def vector(self, content: Content, n: int) -> np.ndarray:
        vector = np.zeros(1 << n, dtype=np.complex128)
        vector[0], vector[-1] = sqrt(0.5), content["sign"] * sqrt(0.5)
        return vector

    def words(self, content: Content, n: int) -> str:
        sign = "+" if content["sign"] > 0 else "-"
        return f"the GHZ state (|{'0' * n}> {sign} |{'1' * n}>)/sqrt(2)"

    def compact(self, content: Content, n: int) -> str:
        return f" {'+' if content['sign'] > 0 else '-'}"

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
            raise TaskError(f"{WHERE}.ones' is {k!r}, expected 1 to {n - 1}")

    def vector(self, content: Content, n: int) -> np.ndarray:
        ones = np.bitwise_count(np.arange(1 << n)) == content["ones"]
        return ones.astype(np.complex128) / sqrt(comb(n, content["ones"]))

    def words(self, content: Content, n: int) -> str:
        k = content["ones"]
        return f"the Dicke state of {n} qubits with {k} ones: all {comb(n, k)} basis states alike"

    def compact(self, content: Content, n: int) -> str:
        return f" {content['ones']}"

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
        require_qubits(n, 2, "a W state")

    def vector(self, content: Content, n: int) -> np.ndarray:
        return super().vector({"ones": 1}, n)

    def words(self, content: Content, n: int) -> str:
        return f"the W state of {n} qubits: all {n} basis states with a single 1, alike"

    def compact(self, content: Content, n: int) -> str:
        return ""

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
            raise TaskError(f"{WHERE}.edges' must be a list of [qubit, qubit], not empty")
        for edge in edges:
            good = isinstance(edge, (list, tuple)) and len(edge) == 2
            if not good or any(isinstance(q, bool) or not isinstance(q, int) for q in edge):
                raise TaskError(f"{WHERE}.edges' has {edge!r}, expected [qubit, qubit]")
            if not all(0 <= q < n for q in edge) or edge[0] == edge[1]:
                raise TaskError(f"{WHERE}.edges' has {list(edge)}; qubits are 0 to {n - 1}")
            if frozenset(edge) in seen:
                raise TaskError(f"{WHERE}.edges' has {list(edge)} twice")
            seen.add(frozenset(edge))

    def tidy(self, content: Content) -> dict[str, Any]:
        return {"edges": sorted(sorted(edge) for edge in content["edges"])}

    def vector(self, content: Content, n: int) -> np.ndarray:
        states = np.arange(1 << n)
        odd = sum(
            (states >> a & states >> b & 1 for a, b in content["edges"]), np.zeros(1 << n, int)
        )
        return ((1.0 - 2.0 * (odd & 1)) / sqrt(1 << n)).astype(np.complex128)

    def words(self, content: Content, n: int) -> str:
        edges = " ".join(f"{a}-{b}" for a, b in content["edges"])
        return f"the graph state (|+> on every qubit, then CZ on each edge) of the edges {edges}"

    def compact(self, content: Content, n: int) -> str:
        return "".join(edge_text(a, b) for a, b in content["edges"])

    def circuit(self, content: Content, n: int) -> Circuit:
        return Circuit(n, tuple(gate for _, gates in self.steps(content, n) for gate in gates))

    def steps(self, content: Content, n: int) -> Steps:
        edges = [(edge_text(a, b), [Gate("cz", (a, b))]) for a, b in content["edges"]]
        return [("", [Gate("h", (q,)) for q in range(n)]), *edges]


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
            raise TaskError(f"{WHERE}.shape' is {content['shape']!r}; valid: chain, ring, rows")
        require_qubits(n, 3 if content["shape"] == "ring" else 2, f"a {content['shape']}")
        if content["shape"] == "rows" and n % 2:
            raise TaskError(f"{WHERE}.shape' rows needs an even number of qubits, not {n}")

    def tidy(self, content: Content) -> dict[str, Any]:
        return dict(content)

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

    def compact(self, content: Content, n: int) -> str:
        return super().compact(self._graph(content, n), n)

    def steps(self, content: Content, n: int) -> Steps:
        return super().steps(self._graph(content, n), n)


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
