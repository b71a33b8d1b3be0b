"""The optimise tool: a program in, the report on the same program at better angles out.

A bounded number of exact gradient evaluations, steps of L-BFGS, from the program's own angles. What
comes out is never worse: where the rounded program has no lower energy, it is the given one. Where
the circuit is of a family, the family's independent parameters move (`free_parameters`), so that it
stays one.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy.optimize import minimize

from quasar.circuits.ansatz.recognition import Recognised, recognise
from quasar.circuits.circuit import Circuit
from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import Limits, read_qasm
from quasar.config import VerificationConfig
from quasar.errors import CircuitError
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities
from quasar.verification.facts import MAX_ENUMERATED_QUBITS, ProblemFacts
from quasar.verification.free_parameters import (
    FreeParameters,
    ProgramStyle,
    free_parameters,
)
from quasar.verification.report import Diagnostic, OptimisedProgram, VerificationReport
from quasar.verification.request import VerificationRequest, Verifies
from quasar.verification.stages.costly import UPDATES_PER_S
from quasar.verification.stages.syntax import read_answer, wrong_qubit_count
from quasar.verification.verifier import Verifier

SKIPPED = "optimise"  # key of a report's `skipped`
EVALUATIONS = 50
_FEWEST = 2  # evaluations that can make anything better
_SHARE = 0.5  # of the time and of the memory of a verification, by estimate
ValueAndGradient = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one call may take: gradient evaluations, amplitude updates, bytes, and text."""

    evaluations: int
    updates: float
    num_bytes: float
    limits: Limits

    @classmethod
    def of(
        cls, config: VerificationConfig, limits: Limits, evaluations: int = EVALUATIONS
    ) -> "Bounds":
        """Half of what a verification may take."""
        return cls(
            evaluations,
            updates=_SHARE * config.time_limit_s * UPDATES_PER_S,
            num_bytes=_SHARE * config.memory_limit_mb * 2.0**20,
            limits=limits,
        )


@dataclass(frozen=True, slots=True)
class OptimisationRequest(VerificationRequest):
    """One answer to optimise and then to verify: the report on the optimised program.

    A program that is not valid gets its report; one that cannot be optimised gets its own, with
    the reason in `skipped`.
    """

    evaluations: int = EVALUATIONS

    def warm_up(self, verifier: Verifies) -> None:
        """Compiled parts that a verification does not need."""
        warm_up()

    def answer(self, verifier: Verifies) -> VerificationReport:
        assert isinstance(verifier, Verifier)
        bounds = Bounds.of(verifier.config, verifier.limits, self.evaluations)
        found = self.optimised(verifier.facts(self.problem), bounds)
        if isinstance(found, str):
            report = VerificationRequest.answer(self, verifier)
            return replace(report, skipped={**report.skipped, SKIPPED: found})
        text = found.program if found.improved else self.text
        report = VerificationRequest.answer(replace(self, text=text), verifier)
        return replace(report, optimised=found)

    def optimised(self, facts: ProblemFacts, bounds: Bounds) -> OptimisedProgram | str:
        """What is made of the answer, or in one line why there is nothing."""
        return optimise(self.text, facts, bounds)

    def settled(self, report: VerificationReport) -> VerificationRequest:
        """As it is asked again: what was optimised is not optimised once more."""
        if report.optimised is None:
            return self
        text = report.optimised.program if report.optimised.improved else self.text
        return VerificationRequest(
            self.problem,
            text,
            diagnose=self.diagnose,
            draw=self.draw,
            published=self.published,
            clock=self.clock,
        )


def optimise(text: str, facts: ProblemFacts, bounds: Bounds) -> OptimisedProgram | str:
    """The program of an answer at better angles, or in one line why there is none."""
    circuit = circuit_to_optimise(text, facts, bounds)
    if isinstance(circuit, str):
        return circuit
    program = extract_program(text)
    found = _free(circuit, facts, program)
    if isinstance(found, str):
        return found
    recognised, free = found
    evaluations = affordable(free, bounds)
    if isinstance(evaluations, str):
        return evaluations
    before = probabilities(encode(circuit))
    energy = float(before @ facts.spectrum.energies)
    _, parameters, spent = descend(free.value_and_gradient, free.start, evaluations=evaluations)
    better = _better_program(free, parameters, recognised, facts, bounds, energy=energy)
    return OptimisedProgram(
        program=program if better is None else better,
        improved=better is not None,
        evaluations=spent,
        family=recognised and recognised.family,
        parameters={} if better is None else free.named(parameters),
        energy_before=energy,
        approximation_ratio_before=facts.spectrum.approximation_ratio(energy),
        optimum_probability_before=float(before[facts.spectrum.optimal].sum()),
    )


def circuit_to_optimise(text: str, facts: ProblemFacts, bounds: Bounds) -> Circuit | str:
    """The circuit of an answer that can be optimised as far as its size goes, or why not."""
    if not facts.enumerated:
        return (
            f"the problem has {facts.problem.num_qubits} qubits; programs of up to "
            f"{MAX_ENUMERATED_QUBITS} are optimised"
        )
    circuit = read_answer(text, bounds.limits)
    if isinstance(circuit, Diagnostic) or wrong_qubit_count(circuit, facts.problem.num_qubits):
        return "the program is not valid"
    return circuit


def optimise_random_start(
    program: str, facts: ProblemFacts, bounds: Bounds, rng: np.random.Generator
) -> str | None:
    """The program at what the same number of evaluations makes of random parameters, which do not
    look at the program's own; None where it cannot be optimised.

    γ is in radians per standard deviation of the energies.
    """
    circuit = circuit_to_optimise(program, facts, bounds)
    if isinstance(circuit, str):
        return None
    found = _free(circuit, facts, program)
    if isinstance(found, str):
        return None
    _, free = found
    left = affordable(free, bounds)
    if isinstance(left, str):
        return None
    return free.program(
        descend_from_random(free.value_and_gradient, free.start, evaluations=left, rng=rng)
    )


def _free(
    circuit: Circuit, facts: ProblemFacts, program: str
) -> tuple[Recognised | None, FreeParameters] | str:
    """The circuit's family and what may move in it, or why nothing does."""
    if not circuit.parameters:
        return "the program has no angles"
    if facts.spectrum.maximum <= facts.spectrum.minimum:
        return "all bitstrings have the same energy"
    recognised = recognise(circuit, facts.problem.hamiltonian)
    free = free_parameters(circuit, recognised, facts, ProgramStyle.of(program))
    return (recognised, free) if free.start.size else "the program has no angles that may move"


class _Priced(Protocol):
    """Parameters with what one gradient evaluation of them takes."""

    @property
    def updates(self) -> float: ...

    @property
    def num_bytes(self) -> float: ...


def affordable(free: _Priced, bounds: Bounds) -> int | str:
    """Gradient evaluations within the bounds, by estimate, so that none hangs on a clock."""
    evaluations = min(bounds.evaluations, int(bounds.updates / free.updates))
    if evaluations < min(_FEWEST, bounds.evaluations):
        return "the circuit is too large for half of the time limit"
    if free.num_bytes > bounds.num_bytes:
        return "the circuit is too large for half of the memory limit"
    return evaluations


class _Spent(Exception):
    """The evaluations are used up."""


def descend(
    function: ValueAndGradient, start: np.ndarray, *, evaluations: int
) -> tuple[float, np.ndarray, int]:
    """(lowest value met, where, evaluations spent: at most so many), by L-BFGS from `start`."""
    best, where, spent = np.inf, start, 0

    def counted(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal best, where, spent
        if spent == evaluations:
            raise _Spent
        spent += 1
        value, gradient = function(parameters)
        if value < best:
            best, where = value, parameters.copy()
        return value, gradient

    options = {"maxiter": evaluations, "maxfun": evaluations}
    with suppress(_Spent):
        minimize(counted, start, jac=True, method="L-BFGS-B", options=options)
    return float(best), where, spent


def descend_from_random(
    function: ValueAndGradient, like: np.ndarray, *, evaluations: int, rng: np.random.Generator
) -> np.ndarray:
    """The lowest point met from starts uniform on [−π, π), of the shape of `like`: a descent that
    ends early is followed by another, until the evaluations are spent.
    """
    best, where, left = np.inf, like, evaluations
    while left > 0:
        start = rng.uniform(-np.pi, np.pi, like.size)
        value, reached, spent = descend(function, start, evaluations=left)
        left -= spent
        if value < best:
            best, where = value, reached
    return where


def _better_program(
    free: FreeParameters,
    parameters: np.ndarray,
    recognised: Recognised | None,
    facts: ProblemFacts,
    bounds: Bounds,
    *,
    energy: float,
) -> str | None:
    """The program at the new parameters; None where, rounded and read again, it is over the
    limits, of another family, or no lower in energy.
    """
    if not np.isfinite(parameters).all():
        return None
    program = free.program(parameters)
    if len(program.encode()) > bounds.limits.max_text_bytes:
        return None
    try:
        circuit = read_qasm(program, bounds.limits)
    except CircuitError:
        return None
    if float(probabilities(encode(circuit)) @ facts.spectrum.energies) >= energy:
        return None
    if recognised is not None:
        now = recognise(circuit, facts.problem.hamiltonian)
        if now is None or (now.ansatz.name, now.layers) != (
            recognised.ansatz.name,
            recognised.layers,
        ):
            return None
    return program


def warm_up() -> None:
    """Compile or load what a first call would otherwise wait for."""
    from quasar.simulation.statevector import alternating

    alternating.value_and_gradient(np.ones((1, 2), dtype=complex), np.zeros((1, 1)), np.zeros(2))
    descend(lambda x: (float(x @ x), 2.0 * x), np.ones(1), evaluations=5)
