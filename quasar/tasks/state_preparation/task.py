"""The task: prepare a state that is named or given by its amplitudes.

Takes a circuit's state |ψ⟩; with F = |⟨target|ψ⟩|², F_0 that of the best trivial answer, and the
teacher's number of two-qubit gates g_0, the parts are

    fidelity   (F − F_0)/(1 − F_0)
    precision  log10((1 − F_0)/(1 − F))/4
    economy    (g_0 + 1)/(g + 1) where the answer succeeds, else 0

clipped to [0, 1]. The best trivial answer to an entangled target is the closest product state; to a
product state it is the closest basis state, or H on every qubit, whichever is closer and is not the
target itself. Success: F ≥ 0.999. A global phase is nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import log10
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.errors import TaskError
from quasar.simulation.statevector import exact
from quasar.simulation.statevector.encoding import encode
from quasar.tasks.base import (
    ContentForm,
    PromptMessages,
    PromptStyle,
    RewardPart,
    Task,
    TaskInstance,
    gain,
)
from quasar.tasks.product_states import closest_product_state
from quasar.tasks.programs import prepared, program, rounded
from quasar.tasks.state_preparation.families import FAMILIES
from quasar.tasks.state_preparation.family import MAX_QUBITS
from quasar.tasks.state_preparation.forms import FORMS
from quasar.tasks.state_preparation.named_states import KNOWN
from quasar.tasks.state_preparation.script import state_pieces, state_script, state_text
from quasar.tasks.state_preparation.words import read_words
from quasar.tasks.words import AskedInstance, asked_of
from quasar.tasks.writing import Piece, Script

ENOUGH = 0.999
_EASY = 0.99  # a trivial answer as near as this is the answer, and no baseline
_DIGITS = 4.0  # of the error against the baseline's, for full precision
_NUM_AMPLITUDES = 3  # in the advice
_DRAWN = 32  # amplitudes of a drawing
_SEEN = 1e-3  # an amplitude as near as this is right, for a reader
_SYSTEM = (
    "You write quantum circuits. Answer with one OpenQASM 3 program on the given number of qubits "
    "that prepares the target state from |0...0> and measures every qubit at the end. A ket names "
    "qubit 0 first; a global phase does not matter."
)
_FREE_SYSTEM = (
    "You are an assistant for quantum computing. You answer with a valid OpenQASM 3 program that "
    "prepares the state asked for and measures every qubit at its end. A ket names qubit 0 first."
)
_WORDINGS = (
    "Prepare {what} on {n} qubits with an OpenQASM 3 circuit.",
    "I need a {n}-qubit OpenQASM 3 program that makes this state of |0...0>: {what}.",
    "Which OpenQASM 3 circuit on {n} qubits prepares {what}?",
)


@dataclass(frozen=True)
class TargetFacts:
    """What is exact of an instance; what takes long, when it is asked for."""

    target: np.ndarray
    teacher: Circuit

    @cached_property
    def trivial(self) -> Mapping[str, Circuit]:
        """Answers without skill, the best first."""
        return _trivial(self.target, self.num_qubits)

    @cached_property
    def trivial_fidelity(self) -> float:
        """Of the best of them."""
        return _fidelity(self.target, next(iter(self.trivial.values())))

    @property
    def num_qubits(self) -> int:
        return self.teacher.num_qubits


@dataclass(frozen=True)
class StateFound:
    """What was measured of a circuit."""

    facts: TargetFacts
    state: np.ndarray
    fidelity: float
    two_qubit_gates: int

    @property
    def succeeds(self) -> bool:
        return self.fidelity >= ENOUGH


def fidelity_part(found: StateFound) -> float:
    """(F − F_0)/(1 − F_0)."""
    return gain(found.fidelity, found.facts.trivial_fidelity)


def precision_part(found: StateFound) -> float:
    """log10((1 − F_0)/(1 − F))/4."""
    error = 1.0 - found.fidelity
    return 1.0 if error < 1e-15 else log10((1.0 - found.facts.trivial_fidelity) / error) / _DIGITS


def economy_part(found: StateFound) -> float:
    """(g_0 + 1)/(g + 1) of a success."""
    if not found.succeeds:
        return 0.0
    return (found.facts.teacher.two_qubit_cost + 1) / (found.two_qubit_gates + 1)


class StatePreparation(Task[TaskInstance, TargetFacts, StateFound]):
    """States; instances of `families.FAMILIES`, whose fields are an instance's content."""

    name = "state_preparation"
    version = "1"
    summary = "Prepare a state that is named or given by its amplitudes."
    families = {name: family.summary for name, family in FAMILIES.items()}  # noqa: RUF012
    parts = {  # noqa: RUF012  (never changed)
        "fidelity": RewardPart("fidelity above the best trivial answer's", 0.6, fidelity_part),
        "precision": RewardPart(
            "digits of the error against the trivial answer's, of 4", 0.3, precision_part
        ),
        "economy": RewardPart(
            "two-qubit gates of the teacher's circuit against the answer's", 0.1, economy_part
        ),
    }
    max_qubits = MAX_QUBITS

    def possible_qubits(self, family: str, at_most: int) -> tuple[int, ...]:
        return tuple(n for n in FAMILIES[self.require_family(family)].sizes if n <= at_most)

    def generate(self, rng: np.random.Generator, *, family: str, num_qubits: int) -> TaskInstance:
        self.require_size(family, num_qubits)
        while True:
            content = FAMILIES[family].draw(rng, num_qubits)
            vector = FAMILIES[family].vector(content, num_qubits)
            alike = abs(vector.sum()) ** 2 / vector.size  # fidelity of H on every qubit
            # Nearly a basis state: without that one as its baseline, any such state would score.
            is_nearly_basis = _EASY <= np.max(np.abs(vector)) ** 2 < 1.0 - 1e-9
            if (
                abs(vector[0]) ** 2 < _EASY
                and (num_qubits == 1 or alike < _EASY)
                and not is_nearly_basis
            ):
                return TaskInstance(self.name, family, num_qubits, content)

    def read(
        self, family: str, content: Mapping[str, Any], *, num_qubits: int | None = None
    ) -> TaskInstance:
        found = FAMILIES[self.require_family(family)]
        if not isinstance(content, Mapping):
            raise TaskError(f"{self.name}: 'instance' is {content!r}, expected an object")
        takes = ", ".join(found.fields) or "nothing"
        for name in content:
            if name not in found.fields:
                raise TaskError(
                    f"{self.name}: 'instance.{name}' is not used by {family} (it takes: {takes}); "
                    "take it out"
                )
        for name in found.fields:
            if name not in content:
                raise TaskError(f"{self.name}: 'instance.{name}' is missing")
        num_qubits = _size(family, content) if num_qubits is None else num_qubits
        if not 1 <= num_qubits <= MAX_QUBITS:
            raise TaskError(f"{self.name}: 'n_qubits' is {num_qubits}, expected 1 to {MAX_QUBITS}")
        found.check(content, num_qubits)
        if abs(found.vector(content, num_qubits)[0]) ** 2 > ENOUGH:
            raise TaskError(f"{self.name}: the target is |0...0>: there is nothing to prepare")
        return TaskInstance(self.name, family, num_qubits, found.tidy(content))

    def form(self, family: str) -> ContentForm:
        return FORMS[self.require_family(family)]

    def from_words(self, text: str) -> AskedInstance | None:
        return asked_of(self, read_words(text))

    def prompt(
        self, instance: TaskInstance, *, style: PromptStyle = "structured"
    ) -> PromptMessages:
        n = instance.num_qubits
        what = FAMILIES[instance.family].words(instance.content, n)
        if style == "compact":
            told = FAMILIES[instance.family].compact(instance.content, n)
            user = f"Task: state preparation\nQubits: {n}\n{_target(instance.family)}{told}"
            return [{"role": "user", "content": user}]
        if style == "free":
            user = _WORDINGS[int(instance.key, 16) % len(_WORDINGS)].format(what=what, n=n)
            system = _FREE_SYSTEM
        else:
            user = f"Task: state preparation, {instance.family}, on {n} qubits.\nTarget: {what}."
            system = _SYSTEM
        return [{"role": "system", "content": system}, {"role": "user", "content": user}]

    def facts(self, instance: TaskInstance) -> TargetFacts:
        family, n = FAMILIES[instance.family], instance.num_qubits
        target = family.vector(instance.content, n)
        teacher = min(
            (rounded(family.circuit(instance.content, n)), rounded(prepared(target))),
            key=lambda circuit: circuit.two_qubit_cost,
        )
        return TargetFacts(target, teacher)

    def size_of(self, facts: TargetFacts) -> int:
        return facts.target.nbytes + 200 * len(facts.teacher.gates)

    def measure(self, circuit: Circuit, facts: TargetFacts) -> StateFound:
        state = exact.statevector(encode(circuit))
        return StateFound(
            facts=facts,
            state=state,
            fidelity=min(1.0, float(abs(np.vdot(facts.target, state)) ** 2)),
            two_qubit_gates=circuit.two_qubit_cost,
        )

    def success(self, found: StateFound) -> bool:
        return found.succeeds

    def figures(self, found: StateFound) -> Mapping[str, float]:
        return {
            "fidelity": found.fidelity,
            "trivial_fidelity": found.facts.trivial_fidelity,
            "enough": ENOUGH,
            "two_qubit_gates": float(found.two_qubit_gates),
            "teacher_two_qubit_gates": float(found.facts.teacher.two_qubit_cost),
        }

    def headline(self, found: StateFound) -> str:
        return (
            f"fidelity {found.fidelity:.4f} (wanted {ENOUGH}, best trivial answer "
            f"{found.facts.trivial_fidelity:.3f})"
        )

    def advice(self, found: StateFound) -> tuple[str, ...]:
        if found.succeeds:
            return ()
        n, target, state = found.facts.num_qubits, found.facts.target, _aligned(found)
        distance = np.abs(state - target)
        wrong = [int(i) for i in np.argsort(-distance, kind="stable")[:_NUM_AMPLITUDES]]
        told = ", ".join(
            f"|{_ket(i, n)}> at {_number(state[i])} not {_number(target[i])}"
            for i in wrong
            if distance[i] > _SEEN
        )
        return (f"amplitudes that are wrong: {told}",) if told else ()

    def baseline(self, facts: TargetFacts) -> str:
        return next(iter(facts.trivial))

    def baseline_circuits(self, facts: TargetFacts) -> Mapping[str, Circuit]:
        return facts.trivial

    def rule(self, instance: TaskInstance, facts: TargetFacts) -> Circuit:
        """The textbook's construction."""
        return facts.teacher

    def reference(self, instance: TaskInstance, facts: TargetFacts) -> str:
        return program(facts.teacher)

    def script(self, instance: TaskInstance, *, decimals: int) -> Script:
        return state_script(instance.num_qubits, tuple(KNOWN), decimals=decimals)

    def worked(self, instance: TaskInstance, *, decimals: int) -> str | None:
        teacher, n = self.facts(instance).teacher, instance.num_qubits
        family = FAMILIES[instance.family]
        steps = family.steps(instance.content, n)
        if rounded(family.circuit(instance.content, n)) != teacher:  # another one is cheaper
            steps = [("", teacher.gates)]
        steps = [(of, rounded(Circuit(n, tuple(gates))).gates) for of, gates in steps]
        return state_text(n, steps, decimals=decimals)

    def pieces(self, max_qubits: int) -> Iterable[Piece]:
        yield Piece("Task: state preparation")
        yield from (Piece(_target(family), ("family", family)) for family in FAMILIES)
        yield from (Piece(f" |{name}>", ("state", f"state {name}")) for name in KNOWN)
        yield Piece(" +", ("sign", "sign +"))
        yield Piece(" -", ("sign", "sign -"))
        yield from state_pieces(max_qubits)

    def shortcuts(self, instance: TaskInstance, facts: TargetFacts) -> Mapping[str, Circuit]:
        found = dict(facts.trivial)
        if np.count_nonzero(np.abs(facts.target) > 1e-6) > 1:
            found["right probabilities, wrong phases"] = prepared(_wrong_phases(facts.target))
        return found

    def second_opinion(
        self, instance: TaskInstance, circuit: Circuit, facts: TargetFacts
    ) -> str | None:
        """Fidelities by Qiskit's state vectors, of the answer and of the trivial ones."""
        from qiskit.quantum_info import Statevector, state_fidelity

        from quasar.circuits.to_qiskit import to_qiskit

        target = Statevector(facts.target)
        for name, tried in {"the circuit": circuit, **facts.trivial}.items():
            theirs = state_fidelity(Statevector(to_qiskit(tried)), target)
            ours = self.measure(tried, facts).fidelity
            if abs(ours - theirs) > 1e-10:
                return f"the fidelity of {name} is {ours!r}, by Qiskit {theirs!r}"
        return ""

    def cost_baseline(self, facts: TargetFacts) -> int:
        return max(1, facts.teacher.two_qubit_cost)

    def drawing(self, found: StateFound) -> Mapping[str, Any]:
        n, target, state = found.facts.num_qubits, found.facts.target, _aligned(found)
        weight = np.maximum(np.abs(target), np.abs(state))
        listed = sorted(int(i) for i in np.argsort(-weight, kind="stable")[:_DRAWN])
        return {
            "kind": "amplitudes",
            "amplitudes": [
                {
                    "ket": _ket(i, n),
                    "target": [float(target[i].real), float(target[i].imag)],
                    "state": [float(state[i].real), float(state[i].imag)],
                    "right": bool(abs(state[i] - target[i]) <= _SEEN),
                }
                for i in listed
                if weight[i] > 1e-6
            ],
            "omitted": max(0, int(np.count_nonzero(weight > 1e-6)) - _DRAWN),
        }


def _target(family: str) -> str:
    return f"Target: {family}"


def _size(family: str, content: Mapping[str, Any]) -> int:
    """Number of qubits of content that says it itself."""
    try:
        if family in ("known", "product"):
            return len(content["states" if family == "known" else "angles"])
        if family == "sparse":
            return len(next(iter(content["amplitudes"])))
        if family in ("real", "complex"):
            return len(content["amplitudes"]).bit_length() - 1
    except (TypeError, StopIteration):
        raise TaskError(f"state_preparation: 'instance' of {family} cannot be read") from None
    if family == "bell":
        return 2
    raise TaskError(f"state_preparation: field 'n_qubits' is missing; {family} has any")


def _trivial(target: np.ndarray, n: int) -> dict[str, Circuit]:
    """Answers without skill by name, the closest first; none of them is the target."""
    likeliest = int(np.argmax(np.abs(target)))
    found = {
        "no gates": Circuit(n, ()),
        "closest basis state": Circuit(
            n, tuple(Gate("x", (q,)) for q in range(n) if likeliest >> q & 1)
        ),
        "H on every qubit": Circuit(n, tuple(Gate("h", (q,)) for q in range(n))),
    }
    closest = closest_product_state(target)
    if closest.value < _EASY:
        found["closest product state"] = closest.circuit
    fidelities = {name: _fidelity(target, circuit) for name, circuit in found.items()}
    entangled = "closest product state" in found  # else it is the answer, or nearly
    kept = [name for name in found if entangled or fidelities[name] < _EASY]
    return {name: found[name] for name in sorted(kept, key=lambda name: -fidelities[name])}


def _fidelity(target: np.ndarray, circuit: Circuit) -> float:
    return min(1.0, float(abs(np.vdot(target, exact.statevector(encode(circuit)))) ** 2))


def _wrong_phases(target: np.ndarray) -> np.ndarray:
    """The same probabilities with signs that make the overlap at most the largest of them."""
    weights, total = np.abs(target) ** 2, 0.0
    signs = np.ones(len(target))
    for i in np.argsort(-weights, kind="stable"):
        signs[i] = -1.0 if total > 0 else 1.0
        total += signs[i] * weights[i]
    return target * signs


def _aligned(found: StateFound) -> np.ndarray:
    """The state with the global phase that brings it closest to the target."""
    overlap = np.vdot(found.state, found.facts.target)
    return found.state * (overlap / abs(overlap) if abs(overlap) > 1e-9 else 1.0)


def _ket(state: int, n: int) -> str:
    return "".join(str(state >> q & 1) for q in range(n))


def _number(value: complex) -> str:
    real, imag = round(value.real, 2) + 0.0, round(value.imag, 2) + 0.0
    return f"{real:g}" if imag == 0.0 else f"{real:g}{imag:+g}i"
