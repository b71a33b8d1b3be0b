"""The task: a Clifford circuit that prepares a stabiliser state, encodes a code, or is an operator.

Takes a circuit of Clifford gates and a `Target` (`quasar.tasks.stabiliser.target`); with r the
share of its rows that are right and r_0 that of the best layer of gates on single qubits, the
parts are

    rows     (r − r_0)/(1 − r_0)
    exact    1 where all rows are right
    economy  (g_0 + 1)/(g + 1) where all rows are right, else 0

clipped to [0, 1]; g counts two-qubit gates, g_0 the teacher's. Success: all rows are right. All of
it is exact and polynomial, up to 100 qubits.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.errors import TaskError
from quasar.simulation.stabiliser.tableau import PauliString, Tableau, identity_strings
from quasar.tasks.base import (
    ContentForm,
    PromptMessages,
    PromptStyle,
    RewardPart,
    Task,
    TaskInstance,
    gain,
)
from quasar.tasks.programs import program
from quasar.tasks.stabiliser import families, plan
from quasar.tasks.stabiliser.families import FAMILIES, FIELDS, MAX_QUBITS, content_of
from quasar.tasks.stabiliser.forms import content_form
from quasar.tasks.stabiliser.synthesis import synthesise
from quasar.tasks.stabiliser.target import Target, best_local_layer, is_local
from quasar.tasks.stabiliser.words import read_words
from quasar.tasks.words import AskedInstance, asked_of
from quasar.tasks.writing import Piece, Script

_NUM_ROWS = 3  # in the advice
_DRAWN_ROWS = 64
_SYSTEM = (
    "You write quantum circuits. Answer with one OpenQASM 3 program of Clifford gates (h, s, sdg, "
    "x, y, z, cx, cz, swap, …) on the given number of qubits that measures every qubit at the end. "
    "In a Pauli string the first letter is of qubit 0."
)
_FREE_SYSTEM = (
    "You are an assistant for quantum computing. You answer with a valid OpenQASM 3 program of "
    "Clifford gates that measures every qubit at its end. In a Pauli string the first letter is of "
    "qubit 0."
)
_KINDS = {
    "state": "prepare of |0...0> the state that these strings stabilise: {stabilisers}",
    "encoder": (
        "encode: qubits {inputs} hold any state and the others |0>; what comes out is stabilised "
        "by {stabilisers}, and the logical operators are {logical}"
    ),
    "operator": "map the Pauli operators of the input so: {logical}",
}
_WORDINGS = (
    "Write an OpenQASM 3 circuit of Clifford gates on {n} qubits that does this: {what}.",
    "I need a {n}-qubit Clifford circuit in OpenQASM 3. It has to {what}.",
    "Which {n}-qubit OpenQASM 3 circuit does the following? It must {what}.",
)


@dataclass(frozen=True)
class CliffordFacts:
    """What is exact of an instance."""

    target: Target
    trivial_rows: int
    trivial: Circuit

    @cached_property
    def teacher(self) -> Circuit:
        return synthesise(self.target)


@dataclass(frozen=True)
class CliffordFound:
    """What was measured of a circuit: rows that are wrong, and those wrong in their sign alone."""

    facts: CliffordFacts
    circuit: Circuit
    wrong: int
    wrong_sign: int

    @property
    def rows_right(self) -> int:
        return len(self.facts.target.rows) - self.wrong.bit_count()


def rows_part(found: CliffordFound) -> float:
    """(r − r_0)/(1 − r_0)."""
    return gain(found.rows_right, found.facts.trivial_rows, len(found.facts.target.rows))


def exact_part(found: CliffordFound) -> float:
    """1 where all rows are right."""
    return float(not found.wrong)


def economy_part(found: CliffordFound) -> float:
    """(g_0 + 1)/(g + 1) where all rows are right."""
    if found.wrong:
        return 0.0
    return (found.facts.teacher.two_qubit_cost + 1) / (found.circuit.two_qubit_cost + 1)


class StabiliserTask(Task[TaskInstance, CliffordFacts, CliffordFound]):
    """Clifford circuits; instances of `families.FAMILIES`.

    An instance's content: `stabilisers`, `logical_x` and `logical_z`, lists of strings as `+XZI`
    (qubit 0 first). k logical qubits go with n − k stabilisers: k = 0 is a state, k = n an
    operator, where logical_x and logical_z are the images of X and Z of each qubit. `read` takes
    empty content for a code that the family names, its qubits in the usual order.
    """

    name = "stabiliser"
    version = "1"
    summary = "Prepare a stabiliser state, encode a code, or carry out a Clifford operator."
    families = FAMILIES
    parts = {  # noqa: RUF012  (never changed)
        "rows": RewardPart(
            "rows that are right above those of gates on single qubits", 0.5, rows_part
        ),
        "exact": RewardPart("whether all rows are right", 0.4, exact_part),
        "economy": RewardPart(
            "two-qubit gates of the teacher's circuit against the answer's", 0.1, economy_part
        ),
    }
    max_qubits = MAX_QUBITS
    gates = ("h", "x", "y", "z", "s", "sdg", "cx", "cz", "swap")

    def possible_qubits(self, family: str, at_most: int) -> tuple[int, ...]:
        return families.possible_qubits(self.require_family(family), at_most)

    def generate(self, rng: np.random.Generator, *, family: str, num_qubits: int) -> TaskInstance:
        self.require_size(family, num_qubits)
        while True:
            target = families.draw(rng, family, num_qubits)
            if not is_local(target):
                return TaskInstance(self.name, family, num_qubits, content_of(target))

    def read(
        self, family: str, content: Mapping[str, Any], *, num_qubits: int | None = None
    ) -> TaskInstance:
        family = self.require_family(family)
        if not isinstance(content, Mapping):
            raise TaskError(f"{self.name}: 'instance' is {content!r}, expected an object")
        for name in content:
            if name not in FIELDS:
                raise TaskError(
                    f"{self.name}: 'instance.{name}' is not used (it takes: {', '.join(FIELDS)}); "
                    "take it out"
                )
        if family in families.CODES and not content:
            content, num_qubits = families.named_code(family, num_qubits)
        words = [word for name in FIELDS for word in self._words(content, name)]
        if not words:
            raise TaskError(f"{self.name}: 'instance' has no rows")
        n = len(words[0].lstrip("+-")) if num_qubits is None else num_qubits
        if not 1 <= n <= MAX_QUBITS:
            raise TaskError(f"{self.name}: 'n_qubits' is {n}, expected 1 to {MAX_QUBITS}")
        parts = [
            tuple(self._string(name, word, n) for word in self._words(content, name))
            for name in FIELDS
        ]
        if len(parts[1]) != len(parts[2]):
            raise TaskError(
                f"{self.name}: 'instance.logical_x' has {len(parts[1])} rows and "
                f"'instance.logical_z' {len(parts[2])}; there must be one each a logical qubit"
            )
        target = Target(n, *parts)
        target.check()
        if is_local(target):
            raise TaskError(
                f"{self.name}: gates on single qubits do it: there is nothing to entangle"
            )
        return TaskInstance(self.name, family, n, content_of(target))

    def _words(self, content: Mapping[str, Any], name: str) -> list[str]:
        given = content.get(name, [])
        if not isinstance(given, (list, tuple)) or len(given) > 2 * MAX_QUBITS:
            raise TaskError(f"{self.name}: 'instance.{name}' must be a list of strings as +XZI")
        for word in given:
            if not isinstance(word, str):
                raise TaskError(
                    f"{self.name}: 'instance.{name}' has {word!r}, expected text as +XZI"
                )
        return list(given)

    def _string(self, name: str, word: str, n: int) -> PauliString:
        try:
            string = PauliString.of(word)
        except ValueError as error:
            raise TaskError(
                f"{self.name}: 'instance.{name}' has {word[:40]!r}, expected {error}"
            ) from None
        if len(word.lstrip("+-")) != n:
            raise TaskError(
                f"{self.name}: 'instance.{name}' has {word[:40]!r} of {len(word.lstrip('+-'))} "
                f"letters; there are {n} qubits"
            )
        return string

    def form(self, family: str) -> ContentForm:
        return content_form(self.require_family(family))

    def from_words(self, text: str) -> AskedInstance | None:
        return asked_of(self, read_words(text))

    def prompt(
        self, instance: TaskInstance, *, style: PromptStyle = "structured"
    ) -> PromptMessages:
        content, n, k = instance.content, instance.num_qubits, len(instance.content["logical_x"])
        kind = "state" if k == 0 else "operator" if k == n else "encoder"
        logical = ", ".join(
            f"X{a} -> {x}, Z{a} -> {z}"
            for a, (x, z) in enumerate(zip(content["logical_x"], content["logical_z"], strict=True))
        )
        if style == "free":
            what = _KINDS[kind].format(
                stabilisers=", ".join(content["stabilisers"]),
                logical=logical,
                inputs=", ".join(map(str, range(k))),
            )
            user = _WORDINGS[int(instance.key, 16) % len(_WORDINGS)].format(n=n, what=what)
            return _messages(_FREE_SYSTEM, user)
        if style == "compact":
            target, images = _target(instance), ""
            for letter, strings in (("X", target.logical_x), ("Z", target.logical_z)):
                images += plan.target_text(strings, letter, n)
            rows = plan.target_text(target.stabilisers, "", n) + images
            user = f"Task: stabiliser {kind}\nQubits: {n}\nRows:{rows}"
            return [{"role": "user", "content": user}]
        rows = ""
        if content["stabilisers"]:
            rows += "\nStabilisers: " + " ".join(content["stabilisers"])
        if k:
            rows += "\nImages: " + logical
        first = "Qubit 0 holds" if k == 1 else f"Qubits 0 to {k - 1} hold"
        inputs = f" {first} any state, the others |0>." if 0 < k < n else ""
        user = f"Task: stabiliser {kind}, {instance.family}, on {n} qubits.{inputs}{rows}"
        return _messages(_SYSTEM, user)

    def facts(self, instance: TaskInstance) -> CliffordFacts:
        target = _target(instance)
        right, layer = best_local_layer(target)
        return CliffordFacts(target, right, layer)

    def size_of(self, facts: CliffordFacts) -> int:
        return 400 * facts.target.num_qubits**2

    def measure(self, circuit: Circuit, facts: CliffordFacts) -> CliffordFound:
        rows = facts.target.tableau()
        rows.take_back(circuit)
        return CliffordFound(facts, circuit, *facts.target.wrong(rows))

    def success(self, found: CliffordFound) -> bool:
        return not found.wrong

    def figures(self, found: CliffordFound) -> Mapping[str, float]:
        return {
            "rows": float(len(found.facts.target.rows)),
            "rows_right": float(found.rows_right),
            "trivial_rows_right": float(found.facts.trivial_rows),
            "two_qubit_gates": float(found.circuit.two_qubit_cost),
        }

    def headline(self, found: CliffordFound) -> str:
        return (
            f"{found.rows_right} of {len(found.facts.target.rows)} rows right (best of gates on "
            f"single qubits: {found.facts.trivial_rows})"
        )

    def advice(self, found: CliffordFound) -> tuple[str, ...]:
        target, n = found.facts.target, found.facts.target.num_qubits
        first, got = len(target.stabilisers), _images(found)
        lines = []
        for row, (name, wanted) in enumerate(zip(target.names, target.rows, strict=True)):
            if not found.wrong >> row & 1:
                continue
            if found.wrong_sign >> row & 1:
                lines.append(f"row {name} {wanted.word(n)}: the sign is wrong")
            elif row >= first:
                lines.append(f"row {name} is {got[row - first].word(n)}, not {wanted.word(n)}")
            else:
                lines.append(f"row {name} {wanted.word(n)}: not a stabiliser of what comes out")
            if len(lines) == _NUM_ROWS:
                break
        return tuple(lines)

    def baseline(self, facts: CliffordFacts) -> str:
        return "best gates on single qubits"

    def baseline_circuits(self, facts: CliffordFacts) -> Mapping[str, Circuit]:
        return {"best gates on single qubits": facts.trivial}

    def rule(self, instance: TaskInstance, facts: CliffordFacts) -> Circuit:
        """Rows swept clean, one after another: exact on every target."""
        return plan.swept(facts.target)

    def reference(self, instance: TaskInstance, facts: CliffordFacts) -> str:
        return program(facts.teacher)

    def pieces(self, max_qubits: int) -> Iterable[Piece]:
        yield from (Piece(f"Task: stabiliser {kind}") for kind in _KINDS)
        yield Piece("Rows:")
        yield from plan.pieces(max_qubits)

    def script(self, instance: TaskInstance, *, decimals: int) -> Script:
        return plan.script(_target(instance))

    def worked(self, instance: TaskInstance, *, decimals: int) -> str | None:
        return plan.worked(_target(instance))

    def shortcuts(self, instance: TaskInstance, facts: CliffordFacts) -> Mapping[str, Circuit]:
        n = instance.num_qubits
        return {
            "no gates": Circuit(n, ()),
            "H on every qubit": Circuit(n, tuple(Gate("h", (q,)) for q in range(n))),
            "best gates on single qubits": facts.trivial,
        }

    def second_opinion(
        self, instance: TaskInstance, circuit: Circuit, facts: CliffordFacts
    ) -> str | None:
        """The whole tableau by Qiskit's `Clifford`."""
        from qiskit.quantum_info import Clifford

        from quasar.circuits.to_qiskit import to_qiskit

        n = instance.num_qubits
        ours = Tableau(n, identity_strings(n))
        ours.apply(circuit)
        for row, string in zip(Clifford(to_qiskit(circuit)).tableau, ours.strings(), strict=True):
            halves = (row[:n], row[n : 2 * n])
            flips, signs = (sum(int(b) << q for q, b in enumerate(half)) for half in halves)
            theirs = PauliString(flips, signs, bool(row[2 * n]))
            if theirs != string:
                return f"a row is {string.word(n)}, by Qiskit {theirs.word(n)}"
        return ""

    def cost_baseline(self, facts: CliffordFacts) -> int:
        return max(1, facts.teacher.two_qubit_cost)

    def drawing(self, found: CliffordFound) -> Mapping[str, Any]:
        target, n = found.facts.target, found.facts.target.num_qubits
        first, got = len(target.stabilisers), _images(found)
        # Where not all can be shown, those that are wrong come before the others.
        places = sorted(range(len(target.rows)), key=lambda place: not found.wrong >> place & 1)
        rows = []
        for place in sorted(places[:_DRAWN_ROWS]):
            wrong = bool(found.wrong >> place & 1)
            rows.append(
                {
                    "name": target.names[place],
                    "wanted": target.rows[place].word(n),
                    "right": not wrong,
                    "sign_alone": bool(found.wrong_sign >> place & 1),
                    # What a logical operator is mapped to; a stabiliser holds or does not.
                    "got": got[place - first].word(n) if wrong and place >= first else None,
                }
            )
        return {"kind": "tableau", "rows": rows, "omitted": len(places) - len(rows)}


def _target(instance: TaskInstance) -> Target:
    parts = [tuple(map(PauliString.of, instance.content[name])) for name in FIELDS]
    return Target(instance.num_qubits, *parts)


def _images(found: CliffordFound) -> list[PauliString]:
    """What the logical operators are mapped to, X before Z; empty where all of them are right."""
    target = found.facts.target
    n, k = target.num_qubits, target.num_logical
    if not found.wrong >> len(target.stabilisers):
        return []
    inputs = [PauliString(1 << a, 0) for a in range(k)] + [PauliString(0, 1 << a) for a in range(k)]
    forward = Tableau(n, inputs)
    forward.apply(found.circuit)
    return forward.strings()


def _messages(system: str, user: str) -> PromptMessages:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]
