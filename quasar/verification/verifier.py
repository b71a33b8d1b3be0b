"""The verification tool: a model's answer in, one report out.

Pure: no Ray, no clock in the results, no state but caches. The text is read once and the circuit
simulated once; stages run in order, and a stage that cannot say anything is skipped with a reason.
Nothing in the text can be read as a score.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import Limits
from quasar.config import VerificationConfig
from quasar.errors import ConfigError, ProblemError
from quasar.problems.base import ProblemInstance
from quasar.simulation import MatrixProductLimits, Simulator, get_simulator
from quasar.verification.cost import measure_cost
from quasar.verification.costly import Gate
from quasar.verification.diagnostics import make_diagnosis, reason_to_skip_slopes
from quasar.verification.distribution import measure_distribution
from quasar.verification.drawing import draw_circuit
from quasar.verification.expectation import measure_expectation
from quasar.verification.facts import MAX_ENUMERATED_QUBITS, FactsCache, ProblemFacts
from quasar.verification.optimisation import WarmStart
from quasar.verification.readout import ExactReadout, Readout, SampledReadout
from quasar.verification.report import (
    Diagnosis,
    Diagnostic,
    PublishedSignals,
    VerificationReport,
    gain_over,
)
from quasar.verification.syntax import read_answer, wrong_qubit_count

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
        self.limits = Limits(
            max_text_bytes=config.max_text_bytes,
            max_qubits=config.max_qubits,
            max_gates=config.max_gates,
        )
        self._device = "GPU" if config.gpus_per_worker > 0 else "CPU"
        self._mps = MatrixProductLimits(config.mps_bond_dimension, config.mps_truncation)
        self._facts = FactsCache()
        self._warm_start = WarmStart(
            evaluations=config.gradient_evaluations,
            random_starts=config.random_starts,
            time_limit_s=config.time_limit_s,
        )
        self._noise = None
        if config.noise.model != "none":
            from quasar.verification.noise import NoisyExpectation

            self._noise = NoisyExpectation(
                config.noise, time_limit_s=config.time_limit_s, device=self._device
            )
        self._published = None
        if formula == "published":
            from quasar.verification.published import PublishedScorer

            self._published = PublishedScorer(self.limits)

    def verify(
        self,
        problem: ProblemInstance,
        text: str,
        *,
        granted: frozenset[str] | None = None,
        diagnose: bool = False,
        draw: bool = False,
    ) -> VerificationReport:
        """The report on one answer. A bad answer is a report, never an exception.

        granted: names of the costly stages that may run; None: all.
        diagnose: say also what to mend (`VerificationReport.diagnosis`), which no grade needs.
        draw: say also what a person is shown (`VerificationReport.drawing`).

        Raises ProblemError only where formula "published" is asked of a problem without reference
        or of more qubits than are enumerated.
        """
        seconds: dict[str, float] = {}
        facts = self._facts.get(problem, limits=self.limits, probabilities=self.probabilities)
        if self._published is not None and not facts.enumerated:
            raise ProblemError(
                f"{problem.primitive}: the published formula compares all probabilities, up to "
                f"{MAX_ENUMERATED_QUBITS} qubits; use formula: hierarchical"
            )
        with _timed(seconds, "syntax"):
            circuit = read_answer(text, self.limits)
            error = circuit if isinstance(circuit, Diagnostic) else None
            if error is None:
                error = wrong_qubit_count(circuit, problem.num_qubits)
        if error is not None:
            published = self._measure_published(facts, text, seconds=seconds)
            return _invalid(problem, circuit, error, seconds=seconds, published=published)
        return self._measure(
            circuit,
            facts,
            text=text,
            granted=granted,
            diagnose=diagnose,
            draw=draw,
            seconds=seconds,
        )

    def warm_up(self) -> None:
        """Load and compile what the first check would otherwise wait for."""
        from quasar.circuits.complete import read_complete
        from quasar.problems.walsh import walsh_hadamard
        from quasar.simulation import exact

        exact.warm_up()
        walsh_hadamard(np.zeros(2))
        read_complete(_WARM_UP_PROGRAM, self.limits)
        if self._published is not None:
            self._published.warm_up()

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """Exact distribution of a circuit from the configured simulator, (2**n,) little-endian."""
        return self._simulator(circuit).probabilities(circuit)

    def _simulator(self, circuit: Circuit) -> Simulator:
        return get_simulator(
            self.config.simulator, circuit.num_qubits, device=self._device, mps=self._mps
        )

    def _read_out(self, circuit: Circuit, facts: ProblemFacts) -> Readout:
        """The one simulation of a candidate. Samples have a fixed seed."""
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
        granted: frozenset[str] | None,
        seconds: dict[str, float],
        diagnose: bool,
        draw: bool,
    ) -> VerificationReport:
        with _timed(seconds, "distribution"):
            readout = self._read_out(circuit, facts)
            distribution = measure_distribution(readout, facts)
        with _timed(seconds, "expectation"):
            expectation = measure_expectation(readout.energy(), facts.extremes)
        published = self._measure_published(
            facts, text, circuit=circuit, readout=readout, seconds=seconds
        )
        part = gain_over(expectation.approximation_ratio, expectation.uniform_approximation_ratio)
        gate = Gate(part, self.config.optimise_above, granted)
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
        self,
        facts: ProblemFacts,
        text: str,
        *,
        circuit: Circuit | None = None,
        readout: ExactReadout | None = None,
        seconds: dict[str, float],
    ) -> PublishedSignals | None:
        """None where that formula is not asked for. circuit, readout: of a valid answer."""
        if self._published is None:
            return None
        from quasar.verification.published import Simulated

        with _timed(seconds, "published"):
            simulated = None
            if circuit is not None:
                simulated = Simulated(extract_program(text), circuit, readout.probabilities)
            return self._published.measure(facts, text, simulated)


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


def _size(circuit: Circuit) -> dict[str, int]:
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
