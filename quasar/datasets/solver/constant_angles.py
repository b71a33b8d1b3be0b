"""QAOA angles that are the same for every problem of a depth.

Energies in units of their standard deviation put the good angles of different problems near each
other (arXiv 2201.11785); these are medians of what the solver finds, in its sign convention.
"""

import numpy as np

from quasar.datasets.solver.qaoa import interpolate

# (γ_1…γ_p, β_1…β_p) in radians, γ for energies with standard deviation 1.
_MEDIANS = {
    1: (1.15, -0.44),
    2: (0.94, 2.07, -0.52, -0.27),
    3: (0.79, 1.61, 2.24, -0.61, -0.37, -0.22),
    4: (0.70, 1.35, 1.91, 2.30, -0.66, -0.43, -0.28, -0.18),
}


def constant_angles(layers: int) -> tuple[list[float], list[float]]:
    """(γ of each layer for energies with standard deviation 1, β of each layer), radians.

    Beyond four layers those of four, interpolated layer by layer (INTERP), untuned.
    layers: at least 1.
    """
    angles = np.array(_MEDIANS[min(layers, max(_MEDIANS))])
    while angles.size < 2 * layers:
        angles = interpolate(angles)
    gammas, betas = np.split(angles, 2)
    return gammas.tolist(), betas.tolist()
