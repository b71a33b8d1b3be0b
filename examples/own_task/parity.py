"""A task of one's own: a superposition of all basis states with an even, or an odd, number of ones.

The whole task in one file: instances, what is exact of them, what is measured, the parts of the
reward, the teacher, and the shortcuts that must not pay. And a part of one's own on a task that
there is already: one function and one declaration (`SharpGroundState`).

Install it beside Quasar with `pip install ./examples/own_task` (its pyproject.toml names the
classes in the entry-point group `quasar.tasks`); from then on it is a task like any other:

    quasar tasks show parity
    quasar tasks check parity
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.errors import TaskError
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import apply, probabilities
from quasar.tasks.base import (
    PromptMessages,
    PromptStyle,
    RewardPart,
    Task,
    TaskInstance,
    clip,
    gain,
)
from quasar.tasks.ground_state.task import GroundFound, GroundState, energy_part

NAMES = {0: "even", 1: "odd"}


@dataclass(frozen=True)
class ParityFacts:
    """The states asked for, bool (2**n,)."""

    wanted: np.ndarray
    num_qubits: int
    odd: int


@dataclass(frozen=True)
class ParityFound:
    """p: probability of the wanted states; evenness: least of theirs against the mean, [0, 1]."""

    p: float
    evenness: float


def parity_part(found: ParityFound) -> float:
    """Probability of the right parity above one half, which uniform sampling has, if evenly."""
    return gain(found.p, 0.5) * found.evenness


class Parity(Task[TaskInstance, ParityFacts, ParityFound]):
    """Content: `odd`, 0 or 1."""

    name = "parity"
    version = "1"
    summary = "Superpose all basis states with an even, or an odd, number of ones."
    families = {"parity": "all basis states of one parity"}  # noqa: RUF012
    parts = {"parity": RewardPart("probability of the right parity, evenly", 1.0, parity_part)}  # noqa: RUF012
    max_qubits = 8

    def possible_qubits(self, family: str, at_most: int) -> tuple[int, ...]:
        return tuple(range(2, min(at_most, self.max_qubits) + 1))

    def generate(self, rng: np.random.Generator, *, family: str, num_qubits: int) -> TaskInstance:
        return TaskInstance(self.name, family, num_qubits, {"odd": int(rng.integers(2))})

    def read(
        self, family: str, content: Mapping[str, Any], *, num_qubits: int | None = None
    ) -> TaskInstance:
        self.require_family(family)
        if num_qubits not in self.possible_qubits(family, self.max_qubits):
            raise TaskError(f"{self.name}: 'n_qubits' is {num_qubits}, expected 2 to 8")
        if (
            not isinstance(content, Mapping)
            or set(content) != {"odd"}
            or content["odd"] not in (0, 1)
        ):
            raise TaskError(f"{self.name}: 'instance.odd' must be given, alone, as 0 or 1")
        return TaskInstance(self.name, family, num_qubits, {"odd": int(content["odd"])})

    def prompt(
        self, instance: TaskInstance, *, style: PromptStyle = "structured"
    ) -> PromptMessages:
        which = NAMES[instance.content["odd"]]
        text = (
            f"Write an OpenQASM 3 program on {instance.num_qubits} qubits that superposes all "
            f"basis states with an {which} number of ones, and measures every qubit."
        )
        return [{"role": "user", "content": text}]

    def facts(self, instance: TaskInstance) -> ParityFacts:
        ones = np.bitwise_count(np.arange(1 << instance.num_qubits))
        odd = instance.content["odd"]
        return ParityFacts(ones % 2 == odd, instance.num_qubits, odd)

    def measure(self, circuit: Circuit, facts: ParityFacts) -> ParityFound:
        p = probabilities(encode(circuit))
        inside = p[facts.wanted]
        return ParityFound(float(inside.sum()), clip(inside.min() * inside.size))

    def success(self, found: ParityFound) -> bool:
        return parity_part(found) > 0.99

    def figures(self, found: ParityFound) -> Mapping[str, float]:
        return {"probability": found.p, "evenness": found.evenness}

    def headline(self, found: ParityFound) -> str:
        return f"probability of the right parity {found.p:.3f}, evenness {found.evenness:.3f}"

    def advice(self, found: ParityFound) -> tuple[str, ...]:
        return () if found.p > 0.99 else ("the last qubit must hold the parity of the others",)

    def baseline(self, facts: ParityFacts) -> str:
        return "H on every qubit"

    def baseline_circuits(self, facts: ParityFacts) -> Mapping[str, Circuit]:
        n = facts.num_qubits
        return {"H on every qubit": Circuit(n, tuple(Gate("h", (q,)) for q in range(n)))}

    def reference(self, instance: TaskInstance, facts: ParityFacts) -> str:
        n = facts.num_qubits
        gates = [Gate("h", (q,)) for q in range(n - 1)]
        gates += [Gate("cx", (q, n - 1)) for q in range(n - 1)]
        gates += [Gate("x", (n - 1,))] if facts.odd else []
        return Circuit(n, tuple(gates)).to_qasm()

    def shortcuts(self, instance: TaskInstance, facts: ParityFacts) -> Mapping[str, Circuit]:
        one = (Gate("x", (0,)),) if facts.odd else ()
        return {"one basis state of the right parity": Circuit(facts.num_qubits, one)}


def sharpness(found: GroundFound) -> float:
    """How much of the variance of the best product state's energy is gone, times the energy part:
    an eigenstate has none, and other eigenstates are not to be paid.
    """
    facts = found.facts

    def variance(state: np.ndarray) -> float:
        image = apply(facts.hamiltonian, state)
        return float(np.vdot(image, image).real - np.vdot(state, image).real ** 2)

    return energy_part(found) * gain(variance(found.state), variance(facts.product.vector), 0.0)


class SharpGroundState(GroundState):
    """The ground-state task with one part more."""

    name = "sharp_ground_state"
    parts = {  # noqa: RUF012
        **GroundState.parts,
        "sharpness": RewardPart("variance of the energy below the product state's", 0.1, sharpness),
    }
