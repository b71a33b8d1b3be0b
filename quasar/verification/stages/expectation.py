"""Stage 3: how low is the energy?

Takes ⟨H⟩ and the extremes of the problem's energies; gives `ExpectationSignals`. The energy of a
diagonal Hamiltonian comes with the simulation of stage 2, so this stage is never gated (the
published one is: arXiv 2510.00967).
"""

from quasar.problems.hamiltonian import Extremes
from quasar.simulation.base import Estimate
from quasar.verification.report import ExpectationSignals


def measure_expectation(estimate: Estimate, extremes: Extremes) -> ExpectationSignals:
    """Signals of stage 3: ⟨H⟩ and its place between the extremes."""
    # Rounding dust, or the error of an estimate.
    energy = min(max(estimate.value, extremes.minimum), extremes.maximum)
    return ExpectationSignals(
        energy=energy,
        minimum=extremes.minimum,
        maximum=extremes.maximum,
        uniform_energy=extremes.mean,
        approximation_ratio=extremes.approximation_ratio(energy),
        uniform_approximation_ratio=extremes.approximation_ratio(extremes.mean),
        standard_error=estimate.standard_error,
        truncation_error=estimate.truncation_error,
    )
