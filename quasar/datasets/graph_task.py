"""The graph problems as one task among others: all it says is said by what there is for them.

Instances are `ProblemInstance`s, facts and the report are the verifier's, parts those of
`quasar.verification.reward`, prompts those of `quasar.datasets.prompts`, the teacher is the solver.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import VerificationConfig
from quasar.config.task_names import GRAPH_TASK
from quasar.datasets.prompts import build_messages
from quasar.datasets.solver import solve
from quasar.errors import TaskError
from quasar.problems import build_instance, get_problem, problem_names
from quasar.problems.base import ProblemInstance
from quasar.tasks.base import PromptMessages, PromptStyle, Task
from quasar.verification.facts import ProblemFacts
from quasar.verification.observation import observation_text
from quasar.verification.report import VerificationReport
from quasar.verification.request import VerificationRequest
from quasar.verification.reward import GRAPH_PARTS, is_success
from quasar.verification.verifier import Verifier

_DECIMALS = 4
_EXACT_DECIMALS = 17
_GOOD = 0.995  # of each part that the teacher aims at
_CHARACTERS = 600  # of the advice


class GraphTask(Task[ProblemInstance, ProblemFacts, VerificationReport]):
    """Low-energy states of the Ising Hamiltonian of a graph problem; families are primitives."""

    name = GRAPH_TASK
    version = "1"
    summary = "Measure optimal answers of a graph problem: minimise its diagonal Hamiltonian."
    parts = GRAPH_PARTS
    aims = ("expectation", "distribution")
    max_qubits = 20

    def __init__(self):
        self.families = {name: get_problem(name).summary for name in problem_names()}

    @cached_property
    def _verifier(self) -> Verifier:
        return Verifier(VerificationConfig(gradient_evaluations=0))

    def possible_qubits(self, family: str, at_most: int) -> tuple[int, ...]:
        return get_problem(self.require_family(family)).possible_qubits(at_most)

    def generate(
        self, rng: np.random.Generator, *, family: str, num_qubits: int
    ) -> ProblemInstance:
        graph, attributes = get_problem(self.require_family(family)).generate(rng, num_qubits)
        return build_instance(family, graph, attributes)

    def read(
        self, family: str, content: Mapping[str, Any], *, num_qubits: int | None = None
    ) -> ProblemInstance:
        if not isinstance(content, Mapping) or "graph" not in content:
            raise TaskError(f"{self.name}: 'instance.graph' is missing")
        for name in content:
            if name not in ("graph", "attributes"):
                raise TaskError(f"{self.name}: 'instance.{name}' is not used; take it out")
        return build_instance(
            family, content["graph"], content.get("attributes"), num_qubits=num_qubits
        )

    def prompt(
        self, instance: ProblemInstance, *, style: PromptStyle = "structured"
    ) -> PromptMessages:
        return build_messages(instance, style=style)

    def facts(self, instance: ProblemInstance) -> ProblemFacts:
        return self._verifier.facts(instance)

    def measure(self, circuit: Circuit, facts: ProblemFacts) -> VerificationReport:
        text = circuit.to_qasm(decimals=_EXACT_DECIMALS)
        return VerificationRequest(facts.problem, text, diagnose=True).answer(self._verifier)

    def success(self, found: VerificationReport) -> bool:
        """What is read off the circuit is an optimum."""
        return is_success(found)

    def figures(self, found: VerificationReport) -> Mapping[str, float]:
        assert found.expectation is not None
        assert found.distribution is not None
        return {
            "energy": found.expectation.energy,
            "minimum": found.expectation.minimum,
            "uniform_energy": found.expectation.uniform_energy,
            "approximation_ratio": found.expectation.approximation_ratio,
            "optimum_probability": found.distribution.optimum_probability,
        }

    def headline(self, found: VerificationReport) -> str:
        assert found.expectation is not None
        return f"energy {found.expectation.energy:.3g} (best {found.expectation.minimum:.3g})"

    def advice(self, found: VerificationReport) -> tuple[str, ...]:
        return tuple(observation_text(found, max_chars=_CHARACTERS).splitlines())

    def baseline(self, facts: ProblemFacts) -> str:
        return "H on every qubit"

    def baseline_circuits(self, facts: ProblemFacts) -> Mapping[str, Circuit]:
        n = facts.problem.num_qubits
        return {"H on every qubit": Circuit(n, tuple(Gate("h", (q,)) for q in range(n)))}

    def reference(self, instance: ProblemInstance, facts: ProblemFacts) -> str:
        """An adaptive circuit; where that is not good enough, an optimum's basis state."""
        found = solve(instance, ansatz="adaptive", decimals=_DECIMALS)
        parts = self.grade(instance, found.circuit, facts).parts
        if min(parts[name] for name in self.aims) >= _GOOD:
            return found.circuit.to_qasm(decimals=_DECIMALS)
        n, optimum = instance.num_qubits, int(facts.extremes.optimal[0])
        return Circuit(n, tuple(Gate("x", (q,)) for q in range(n) if optimum >> q & 1)).to_qasm()

    def shortcuts(self, instance: ProblemInstance, facts: ProblemFacts) -> Mapping[str, Circuit]:
        n = instance.num_qubits
        uniform = tuple(Gate("h", (q,)) for q in range(n))
        phases = tuple(Gate("rz", (q,), (0.3 + q,)) for q in range(n))
        return {
            "H on every qubit": Circuit(n, uniform),
            "phases that nothing measures": Circuit(n, uniform + phases),
        }

    def cost_baseline(self, facts: ProblemFacts) -> int:
        return facts.baseline_two_qubit_gates
