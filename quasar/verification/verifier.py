"""The verification tool: a model's answer in, one report out.

Pure: no Ray, no clock in the results, no state but caches. The text is read once and the circuit
simulated once; stages run in order, and a stage that cannot say anything is skipped with a reason.
Nothing in the text can be read as a score.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import EMPTY, TOO_LONG
from quasar.config import VerificationConfig
from quasar.errors import ConfigError, ProblemError
from quasar.problems.base import ProblemInstance
from quasar.simulation import MatrixProductLimits, Simulator, get_simulator
from quasar.verification.diagnostics import make_diagnosis, reason_to_skip_slopes
from quasar.verification.drawing import draw_circuit
from quasar.verification.facts import MAX_ENUMERATED_QUBITS, FactsCache, ProblemFacts
from quasar.verification.limits import program_limits
from quasar.verification.readout import ExactReadout, Readout, SampledReadout
from quasar.verification.report import (
    Diagnosis,
    Diagnostic,
    PublishedSignals,
    VerificationReport,
    gain_over,
)
from quasar.verification.stages.cost import measure_cost
from quasar.verification.stages.costly import StageGate
from quasar.verification.stages.distribution import measure_distribution
from quasar.verification.stages.expectation import measure_expectation
from quasar.verification.stages.optimisation import WarmStart
from quasar.verification.stages.syntax import read_answer, wrong_qubit_count
from quasar.verification.task_verifier import TaskVerifier

if TYPE_CHECKING:
    from quasar.verification.stages.published import PublishedScorer

# Beyond the plain subset, so that the complete reader is loaded too.
_WARM_UP_PROGRAM = """OPENQASM 3.0;
include "stdgates.inc";
bit[2] c;
qubit[2] q;
gate pair(t) a, b { cx a, b; rz(t + pi / 2) b; }
pair(0.5) q[0], q[1];
c = measure q;
"""
FORMULAS = ("hierarchical", "published")


class Verifier:
    """Runs the four stages. One object serves any number of problems; not for several threads."""

    def __init__(self, config: VerificationConfig, formula: str = "hierarchical"):
        """formula "published" adds the published system's own signals to each report."""
        if formula not in FORMULAS:
            raise ConfigError(f"formula {formula!r} is unknown; valid: {', '.join(FORMULAS)}")
        self.config = config
        self.formula = formula
        self.limits = program_limits(config)
        self._device: Literal["CPU", "GPU"] = "GPU" if config.gpus_per_worker > 0 else "CPU"
        self._mps = MatrixProductLimits(config.mps_bond_dimension, config.mps_truncation)
        self._facts = FactsCache()
        self.tasks = TaskVerifier(config)
        self._warm_start = WarmStart(
            evaluations=config.gradient_evaluations,
            random_starts=config.random_starts,
            time_limit_s=config.time_limit_s,
        )
        self._noise = None
        if config.noise.model != "none":
            from quasar.verification.stages.noise import NoisyExpectation

            self._noise = NoisyExpectation(
                config.noise, time_limit_s=config.time_limit_s, device=self._device
            )
        self._published = None
        if formula == "published":
            from quasar.verification.stages.published import PublishedScorer

            self._published = PublishedScorer(self.limits, time_limit_s=config.time_limit_s)

    def verify(
        self,
        problem: ProblemInstance,
        text: str,
        *,
        granted: frozenset[str] | None = None,
        diagnose: bool = False,
        draw: bool = False,
        published: bool = True,
    ) -> VerificationReport:
        """The report on one answer. A bad answer is a report, never an exception.

        granted: names of the costly stages that may run; None: all.
        diagnose: say also what would help (`VerificationReport.diagnosis`), which no grade needs.
        draw: say also what a person is shown (`VerificationReport.drawing`).
        published: False leaves out the published signals, where formula "published" asks for them.

        Raises ProblemError only where formula "published" is asked of a problem without reference
        or of more qubits than are enumerated.
        """
        seconds: dict[str, float] = {}
        facts = self.facts(problem)
        scorer = self._published if published else None
        if scorer is not None and not facts.enumerated:
            raise ProblemError(
                f"{problem.primitive}: the published formula compares all probabilities, up to "
                f"{MAX_ENUMERATED_QUBITS} qubits; use formula: hierarchical"
            )
        with _timed(seconds, "syntax"):
            circuit = read_answer(text, self.limits)
            if isinstance(circuit, Diagnostic):
                error = circuit
            else:
                error = wrong_qubit_count(circuit, problem.num_qubits)
        if error is not None:
            signals = _measure_published(scorer, facts, text, circuit=circuit, seconds=seconds)
            return _invalid(problem, circuit, error, seconds=seconds, published=signals)
        assert not isinstance(circuit, Diagnostic)
        return self._measure(
            circuit,
            facts,
            text=text,
            scorer=scorer,
            granted=granted,
            diagnose=diagnose,
            draw=draw,
            seconds=seconds,
        )

    def warm_up(self) -> None:
        """Load and compile what the first check would otherwise wait for."""
        from quasar.circuits.qasm.semantics import read_complete
        from quasar.problems.walsh import walsh_hadamard
        from quasar.simulation.statevector import exact

        exact.warm_up()
        walsh_hadamard(np.zeros(2))
        read_complete(_WARM_UP_PROGRAM, self.limits)
        if self._published is not None:
            self._published.warm_up()

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """Exact distribution of a circuit from the configured simulator, (2**n,) little-endian."""
        return self._simulator(circuit).probabilities(circuit)

    def facts(self, problem: ProblemInstance) -> ProblemFacts:
        """What is known of a problem; kept for a while."""
        return self._facts.get(problem, limits=self.limits, probabilities=self.probabilities)

    def _simulator(self, circuit: Circuit) -> Simulator:
        return get_simulator(
            self.config.simulator, circuit.num_qubits, device=self._device, mps=self._mps
        )

    def read_out(self, circuit: Circuit, facts: ProblemFacts) -> Readout:
        """One simulation: what is known of the state that a circuit with as many qubits as the
        problem prepares. Samples have a fixed seed.
        """
        if facts.enumerated:
            return ExactReadout(self.probabilities(circuit), facts)
        estimate, samples = self._simulator(circuit).measure(
            circuit, facts.problem.hamiltonian, shots=self.config.shots, seed=0
        )
        return SampledReadout(estimate, samples, facts)

    def _measure(
        self,
        circuit: Circuit,
        facts: ProblemFacts,
        *,
        text: str,
        scorer: "PublishedScorer | None",
        granted: frozenset[str] | None,
        seconds: dict[str, float],
        diagnose: bool,
        draw: bool,
    ) -> VerificationReport:
        with _timed(seconds, "distribution"):
            readout = self.read_out(circuit, facts)
            distribution = measure_distribution(readout, facts)
        with _timed(seconds, "expectation"):
            expectation = measure_expectation(readout.energy(), facts.extremes)
        published = _measure_published(
            scorer, facts, text, circuit=circuit, readout=readout, seconds=seconds
        )
        part = gain_over(expectation.approximation_ratio, expectation.uniform_approximation_ratio)
        gate = StageGate(part, self.config.optimise_above, granted)
        with _timed(seconds, "optimisation"):
            optimisation = gate.run("optimisation", self._warm_start, circuit, facts)
        noise = None
        if self._noise is not None:
            with _timed(seconds, "noise"):
                noise = gate.run("noise", self._noise, circuit, facts)
        diagnosis = None
        if diagnose:
            with _timed(seconds, "diagnosis"):
                diagnosis = self._diagnose(circuit, readout, facts, skipped=gate.skipped)
        return VerificationReport(
            reached="expectation" if optimisation is None else "optimisation",
            valid=True,
            num_qubits_expected=facts.problem.num_qubits,
            **_size(circuit),
            distribution=distribution,
            expectation=expectation,
            optimisation=optimisation,
            noise=noise,
            cost=measure_cost(circuit, facts.baseline_two_qubit_gates),
            published=published,
            diagnosis=diagnosis,
            drawing=draw_circuit(circuit, readout, facts) if draw else None,
            seconds=seconds,
            skipped=gate.skipped,
            estimated_s=gate.estimated_s,
        )

    def _diagnose(
        self,
        circuit: Circuit,
        readout: Readout,
        facts: ProblemFacts,
        *,
        skipped: dict[str, str],
    ) -> Diagnosis:
        reason = reason_to_skip_slopes(circuit, max_updates=self._warm_start.max_updates)
        if reason is not None:
            skipped["gradient"] = reason
        return make_diagnosis(circuit, readout, facts, slopes=reason is None)


def _measure_published(
    scorer: "PublishedScorer | None",
    facts: ProblemFacts,
    text: str,
    *,
    circuit: Circuit | Diagnostic,
    readout: Readout | None = None,
    seconds: dict[str, float],
) -> PublishedSignals | None:
    """None where that formula is not asked for.

    circuit, readout: what the strict reading and the simulation gave.
    """
    if scorer is None:
        return None
    from quasar.verification.stages.published import RefusedProgram, Simulated

    with _timed(seconds, "published"):
        known = None
        if isinstance(circuit, Diagnostic):
            if circuit.kind not in (EMPTY, TOO_LONG):
                known = RefusedProgram(extract_program(text), circuit.kind)
        elif isinstance(readout, ExactReadout):
            known = Simulated(extract_program(text), circuit, readout.probabilities)
        return scorer.measure(facts, text, known)


def _invalid(
    problem: ProblemInstance,
    circuit: Circuit | Diagnostic,
    error: Diagnostic,
    *,
    seconds: dict[str, float],
    published: PublishedSignals | None,
) -> VerificationReport:
    reason = "the program is not valid"
    return VerificationReport(
        reached="none",
        valid=False,
        num_qubits_expected=problem.num_qubits,
        **({} if isinstance(circuit, Diagnostic) else _size(circuit)),
        error=error,
        published=published,
        seconds=seconds,
        skipped={stage: reason for stage in ("distribution", "expectation", "optimisation")},
    )


def _size(circuit: Circuit) -> dict[str, Any]:
    return {
        "num_qubits": circuit.num_qubits,
        "num_gates": len(circuit.gates),
        "num_two_qubit_gates": circuit.num_two_qubit_gates,
        "depth": circuit.depth,
    }


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
