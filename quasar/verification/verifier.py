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
from quasar.circuits.qasm import Limits
from quasar.config import VerificationConfig
from quasar.errors import ConfigError
from quasar.problems.base import ProblemInstance
from quasar.simulation import MatrixProductLimits, get_simulator
from quasar.verification.distribution import measure_distribution
from quasar.verification.expectation import measure_expectation
from quasar.verification.facts import FactsCache, ProblemFacts
from quasar.verification.optimisation import WarmStart
from quasar.verification.report import (
    Diagnostic,
    ExpectationSignals,
    OptimisationSignals,
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
        self._published = None
        if formula == "published":
            from quasar.verification.published import PublishedScorer

            self._published = PublishedScorer(self.limits)

    def verify(self, problem: ProblemInstance, text: str) -> VerificationReport:
        """The report on one answer. A bad answer is a report, never an exception.

        Raises ProblemError only where formula "published" is asked of a problem without reference.
        """
        seconds: dict[str, float] = {}
        facts = self._facts.get(problem, limits=self.limits, probabilities=self.probabilities)
        published = None
        if self._published is not None:
            with _timed(seconds, "published"):
                published = self._published.measure(problem, facts.spectrum, text)
        with _timed(seconds, "syntax"):
            circuit = read_answer(text, self.limits)
            error = circuit if isinstance(circuit, Diagnostic) else None
            if error is None:
                error = wrong_qubit_count(circuit, problem.num_qubits)
        if error is not None:
            return _invalid(problem, circuit, error, seconds=seconds, published=published)
        return self._measure(circuit, facts, seconds=seconds, published=published)

    def warm_up(self) -> None:
        """Load and compile what the first check would otherwise wait for."""
        from quasar.circuits.complete import read_complete
        from quasar.simulation import exact

        exact.warm_up()
        read_complete(_WARM_UP_PROGRAM, self.limits)

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """Exact distribution of a circuit from the configured simulator, (2**n,) little-endian."""
        simulator = get_simulator(
            self.config.simulator, circuit.num_qubits, device=self._device, mps=self._mps
        )
        return simulator.probabilities(circuit)

    def _measure(
        self,
        circuit: Circuit,
        facts: ProblemFacts,
        *,
        seconds: dict[str, float],
        published: PublishedSignals | None,
    ) -> VerificationReport:
        skipped: dict[str, str] = {}
        with _timed(seconds, "distribution"):
            probabilities = self.probabilities(circuit)
            distribution = measure_distribution(probabilities, facts)
        with _timed(seconds, "expectation"):
            expectation = measure_expectation(probabilities, facts.spectrum)
        with _timed(seconds, "optimisation"):
            optimisation = self._optimise(circuit, facts, expectation=expectation, skipped=skipped)
        return VerificationReport(
            reached="expectation" if optimisation is None else "optimisation",
            valid=True,
            num_qubits_expected=facts.problem.num_qubits,
            **_size(circuit),
            distribution=distribution,
            expectation=expectation,
            optimisation=optimisation,
            published=published,
            seconds=seconds,
            skipped=skipped,
        )

    def _optimise(
        self,
        circuit: Circuit,
        facts: ProblemFacts,
        *,
        expectation: ExpectationSignals,
        skipped: dict[str, str],
    ) -> OptimisationSignals | None:
        reason = self._warm_start.reason_to_skip(circuit)
        part = gain_over(expectation.approximation_ratio, expectation.uniform_approximation_ratio)
        if reason is None and part < self.config.optimise_above:
            reason = f"the expectation part {part:.3f} is below {self.config.optimise_above:g}"
        if reason is not None:
            skipped["optimisation"] = reason
            return None
        return self._warm_start.measure(circuit, facts)


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
