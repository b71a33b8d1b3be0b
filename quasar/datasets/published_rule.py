"""The published generator's rule as a tool: a program in, the report on what the rule makes of its
family and layers out.

Of the given program family and layers alone count: the rule has starts of its own
(`quasar.datasets.solver.published`), drawn from a seed of problem and program. It imitates the
published references, as HQCR asks for; energies may get worse by it.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quasar.circuits.ansatz import Ansatz
from quasar.circuits.ansatz.recognition import Recognised, recognise
from quasar.circuits.extraction import extract_program
from quasar.datasets.solver.published import (
    DESCENT_STEPS,
    FAMILIES,
    NotAccepted,
    published_pool,
    solve_published,
)
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities
from quasar.verification.facts import ProblemFacts
from quasar.verification.optimiser import (
    Bounds,
    OptimisationRequest,
    circuit_to_optimise,
)
from quasar.verification.report import OptimisedProgram

_PASSES = 3.0  # over the gates for one gradient: forward, and back with two vectors


@dataclass(frozen=True, slots=True)
class PublishedRuleRequest(OptimisationRequest):
    """As `OptimisationRequest`, by the published rule: `optimised.improved` says that the rule gave
    a circuit, whatever its energy. Where it gives none the program stands, with the reason in
    `skipped`.
    """

    def optimised(self, facts: ProblemFacts, bounds: Bounds) -> OptimisedProgram | str:
        return by_published_rule(self.text, facts, bounds)


def by_published_rule(text: str, facts: ProblemFacts, bounds: Bounds) -> OptimisedProgram | str:
    """The rule's circuit of the answer's family, in the published style, or in one line why there
    is none.
    """
    circuit = circuit_to_optimise(text, facts, bounds)
    if isinstance(circuit, str):
        return circuit
    problem = facts.problem
    recognised = recognise(circuit, problem.hamiltonian)
    if recognised is None or recognised.family not in FAMILIES:
        return f"the program is of none of the published families ({', '.join(FAMILIES)})"
    evaluations = min(bounds.evaluations, int(bounds.updates / _updates(recognised, facts)))
    program = extract_program(text)
    seed = [zlib.crc32(part.encode()) for part in (problem.key, program)]
    try:
        family, parameters, spent = solve_published(
            recognised.ansatz,
            problem,
            np.random.default_rng(seed),
            layers=recognised.layers,
            evaluations=evaluations,
        )
    except NotAccepted as error:
        return str(error)
    made = family.build(problem.hamiltonian, parameters, layers=recognised.layers)
    before = probabilities(encode(circuit))
    energy = float(before @ facts.spectrum.energies)
    return OptimisedProgram(
        program=made.to_qasm(),
        improved=True,
        evaluations=spent,
        family=family.family,
        parameters=_named(family, parameters.tolist()),
        energy_before=energy,
        approximation_ratio_before=facts.spectrum.approximation_ratio(energy),
        optimum_probability_before=float(before[facts.spectrum.optimal].sum()),
    )


def _named(family: Ansatz, parameters: Sequence[float]) -> dict[str, float]:
    """As `OptimisedProgram` has them; the rule has rounded them."""
    if family.family != "qaoa":
        return {f"a{i}": value for i, value in enumerate(parameters)}
    layers = len(parameters) // 2  # all γ, then all β
    return {
        f"{kind}{layer + 1}": parameters[first + layer]
        for layer in range(layers)
        for kind, first in (("g", 0), ("b", layers))
    }


def _updates(recognised: Recognised, facts: ProblemFacts) -> float:
    """Amplitude updates of one gradient evaluation, in the units of `stages.costly`: of an adaptive
    circuit the mean of the pool's and of those of the gate that it adds.
    """
    n, states = facts.problem.num_qubits, facts.spectrum.energies.size
    if recognised.family == "adaptive":
        return _PASSES * states * (len(published_pool(n)) / (1 + DESCENT_STEPS) + 1)
    if recognised.family == "qaoa":
        return _PASSES * states * recognised.layers * (n + 3)
    form = recognised.ansatz.circuit(facts.problem.hamiltonian, layers=recognised.layers)
    return _PASSES * states * len(form.structure.gates)
