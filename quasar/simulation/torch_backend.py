"""State vectors on torch, with CUDA or on a CPU: one circuit at a time.

Takes circuits of standard gates; gives amplitudes and probabilities. Each gate changes views of the
amplitudes in place, so a step costs no more than the gate's own memory traffic.
"""

import numpy as np
import torch

from quasar.circuits.circuit import Circuit
from quasar.errors import SimulationMemoryError
from quasar.simulation.distributions import FromProbabilities
from quasar.simulation.memory import require_state_vector
from quasar.simulation.statevector.encoding import RZ, SDG, TDG, P, S, T, X, Z, encode
from quasar.simulation.statevector.matrices import matrices

_PHASES = frozenset((Z, S, SDG, T, TDG, P))  # diag(1, ·)
_COPIES = 4  # states' worth of memory at the peak of a step, the state itself among them


class TorchBackend(FromProbabilities):
    """State vectors. `device` is the one in use: "cuda" only where it is available."""

    name = "torch"

    def __init__(self, device: str = "CPU"):
        self.device = "cuda" if device == "GPU" and torch.cuda.is_available() else "cpu"

    def statevector(self, circuit: Circuit) -> np.ndarray:
        """Final amplitudes, shape (2**n,), complex128, little-endian."""
        return self._run(circuit).cpu().numpy()

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """|amplitude|², shape (2**n,), float64."""
        state = self._run(circuit)
        return (state.real**2 + state.imag**2).cpu().numpy()

    def _run(self, circuit: Circuit) -> torch.Tensor:
        """Raises SimulationMemoryError before it starts where the state does not fit."""
        n = circuit.num_qubits
        require_state_vector(n)  # on the host
        self._require_device_memory(n)
        encoded = encode(circuit)
        angles = np.append(encoded.angles, 0.0)  # which rows without an angle may read
        places = np.minimum(encoded.rows[:, 3, None] + np.arange(3), len(angles) - 1)
        rows = zip(encoded.rows.tolist(), matrices(encoded.rows[:, 0], angles[places]), strict=True)
        state = torch.zeros(1 << n, dtype=torch.complex128, device=self.device)
        state[0] = 1.0
        for (operation, target, controls, _), m in rows:
            _apply(operation, m.tolist(), *_halves(state, n, target, controls))
        return state

    def _require_device_memory(self, num_qubits: int) -> None:
        if self.device != "cuda":
            return
        needed, free = 16 * _COPIES << num_qubits, torch.cuda.mem_get_info()[0]
        if needed > free:
            raise SimulationMemoryError(
                f"a state vector of {num_qubits} qubits needs {needed >> 20} MiB of the GPU and "
                f"{free >> 20} MiB are free; take fewer qubits or set simulator: exact"
            )


def _apply(operation: int, m: list[list[complex]], low: torch.Tensor, high: torch.Tensor) -> None:
    """Multiply a 2×2 matrix into the amplitudes with the target qubit 0 (low) and 1 (high)."""
    if operation in _PHASES:
        high.mul_(m[1][1])
    elif operation == RZ:
        low.mul_(m[0][0])
        high.mul_(m[1][1])
    elif operation == X:
        kept = low.clone()
        low.copy_(high)
        high.copy_(kept)
    else:
        above = m[0][0] * low + m[0][1] * high
        high.copy_(m[1][0] * low + m[1][1] * high)
        low.copy_(above)


def _halves(
    state: torch.Tensor, num_qubits: int, target: int, controls: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Views of the amplitudes with target 0 and 1, where all controls (a bit mask) are 1."""
    shape: list[int] = []
    index: list[slice | int] = []
    axis, end = 0, num_qubits
    for q in range(num_qubits - 1, -1, -1):
        if q == target or controls >> q & 1:
            shape += [1 << (end - q - 1), 2]
            index += [slice(None), 1]
            axis = len(index) - 1 if q == target else axis
            end = q
    view = state.view(*shape, 1 << end)
    high = tuple(index)
    index[axis] = 0
    return view[tuple(index)], view[high]
