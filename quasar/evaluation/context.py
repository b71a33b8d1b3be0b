"""What a sample is read beside: its family, what it costs on a device, its gates at random angles.

Takes circuits of valid samples; gives columns of `per_sample.parquet`.
"""

import hashlib
from importlib.util import find_spec
from typing import Any

import numpy as np

from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.circuit import Circuit
from quasar.config import DeviceName, NoiseConfig
from quasar.errors import SimulationError
from quasar.problems.base import ProblemInstance
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities
from quasar.verification.readout import js_distance
from quasar.verification.stages.costly import UPDATES_PER_S

# The benchmark's "vqe" names no template: any of them will do.
_ANY_TEMPLATE = "vqe"
_FAMILIES = ("qaoa", "ma_qaoa", "adaptive", _ANY_TEMPLATE)
# Compiling takes about 0.2 ms a gate: more gates than this would use up the time limit.
MAX_COMPILED_GATES = 5000
MAX_EXACT_QUBITS = 20


def in_family(circuit: Circuit, family: str, hamiltonian: IsingHamiltonian) -> bool | None:
    """Whether a circuit is of the ansatz family that the prompt names, for this Hamiltonian.

    QAOA must have cost layers of exactly this H; angles are free, and so is the number of layers.
    None where `family` is no family that can be recognised.
    """
    if family not in _FAMILIES and not family.startswith("sim_"):
        return None
    found = recognise(circuit, hamiltonian)
    if found is None:
        return False
    if family == _ANY_TEMPLATE:
        return found.template is not None
    return found.ansatz.name == family


class CompiledCost:
    """Two-qubit gates and depth after compiling for a device with a fixed seed."""

    def __init__(self, device: DeviceName):
        """device: a noise model's name; "none": nothing is compiled."""
        self._device = None
        if device_is_here(device):
            from quasar.simulation.aer.devices import load_device

            self._device = load_device(NoiseConfig(model=device))

    def columns(self, circuit: Circuit) -> dict[str, Any]:
        """None in both where the circuit does not fit the device or is too long to compile."""
        if self._device is None or len(circuit.gates) > MAX_COMPILED_GATES:
            return {}
        from quasar.simulation.aer.devices import compile_for

        try:
            compiled = compile_for(self._device, circuit)
        except SimulationError:
            return {}
        return {
            "device_two_qubit_gates": compiled.num_two_qubit_gates,
            "device_depth": compiled.depth,
        }


def device_is_here(device: str) -> bool:
    """False for "none", and for a snapshot whose package is not installed."""
    if device == "none":
        return False
    return device == "depolarizing" or find_spec("qiskit_ibm_runtime") is not None


class RandomAngles:
    """The same gates with each angle uniform on [0, 2π): the mean over some draws."""

    def __init__(self, draws: int, *, time_limit_s: float):
        self._draws = draws
        self._max_updates = 0.25 * time_limit_s * UPDATES_PER_S

    def columns(
        self, circuit: Circuit, problem: ProblemInstance, reference: np.ndarray | None
    ) -> dict[str, Any]:
        """JS distance to the reference distribution and relative energy gap; the draws depend on
        the circuit's gates alone. None where the draws would take too long.
        """
        updates = self._draws * len(circuit.gates) * 2.0**circuit.num_qubits
        large = circuit.num_qubits > MAX_EXACT_QUBITS or updates > self._max_updates
        if self._draws == 0 or large:
            return {}
        encoded = encode(circuit)
        # Without angles every draw is the circuit itself.
        draws = self._draws if encoded.angles.size else 1
        seed = int.from_bytes(hashlib.sha256(encoded.rows.tobytes()).digest()[:8], "little")
        angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, (draws, encoded.angles.size))
        found = [probabilities(encoded, row) for row in angles]
        spectrum = problem.spectrum
        ratios = [spectrum.approximation_ratio(float(p @ spectrum.energies)) for p in found]
        distances = None
        if reference is not None:
            distances = float(np.mean([js_distance(p, reference) for p in found]))
        return {
            "random_js_distance": distances,
            "random_energy_gap": 1.0 - float(np.mean(ratios)),
        }
