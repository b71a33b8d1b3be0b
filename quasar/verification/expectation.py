"""Stage 3: how low is the energy?

Takes exact probabilities and the problem's spectrum; gives `ExpectationSignals`. The energy of a
diagonal Hamiltonian is one dot product with the probabilities of stage 2, so it is never gated
(the published stage is: arXiv 2510.00967).
"""

import numpy as np

from quasar.problems.hamiltonian import Spectrum
from quasar.verification.report import ExpectationSignals


def measure_expectation(probabilities: np.ndarray, spectrum: Spectrum) -> ExpectationSignals:
    """Signals of stage 3: ⟨H⟩ and its place between the extremes of the spectrum."""
    energy = float(probabilities @ spectrum.energies)
    energy = min(max(energy, spectrum.minimum), spectrum.maximum)  # rounding dust
    return ExpectationSignals(
        energy=energy,
        minimum=spectrum.minimum,
        maximum=spectrum.maximum,
        uniform_energy=spectrum.mean,
        approximation_ratio=spectrum.approximation_ratio(energy),
        uniform_approximation_ratio=spectrum.approximation_ratio(spectrum.mean),
    )
