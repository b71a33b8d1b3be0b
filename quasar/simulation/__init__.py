"""Simulator backends behind one protocol, and the registry that names them.

`get_simulator("auto", n)` is the way in; backends are loaded when they are first asked for.
Noisy devices are `quasar.simulation.aer.noise`.
"""

import difflib
from functools import lru_cache
from importlib.util import find_spec
from typing import Literal

from quasar.errors import ConfigError
from quasar.simulation.base import Estimate, MatrixProductLimits, Samples, Simulator

SIMULATORS = ("auto", "exact", "aer", "torch", "mps")
# Above this Aer's fused gates on all cores overtake the compiled kernels on one
# (benchmarks/simulation.py; two cores).
MAX_EXACT_QUBITS = 20
# Where there is a GPU. A step takes some microseconds to launch there, about what the kernels need
# for a gate on this many qubits. An estimate: no GPU was at hand.
MAX_EXACT_QUBITS_WITH_GPU = 14
# Above this 2**n numbers take more than a verification's default memory.
MAX_VECTOR_QUBITS = 24

__all__ = ["SIMULATORS", "Estimate", "MatrixProductLimits", "Samples", "Simulator", "get_simulator"]


def get_simulator(
    name: str,
    num_qubits: int,
    *,
    device: Literal["CPU", "GPU"] = "CPU",
    mps: MatrixProductLimits | None = None,
) -> Simulator:
    """The backend of that name for circuits of `num_qubits`.

    "auto": up to 24 qubits a state vector: exact up to 20 qubits and Aer above; with device "GPU"
    exact up to 14 and torch above where CUDA is. More qubits: matrix product states. Without Aer,
    exact at any size. device: for aer and torch; the CPU is taken where the GPU is not usable.
    mps: limits of the matrix product states. Raises ConfigError for an unknown or missing backend.
    """
    if name not in SIMULATORS:
        near = difflib.get_close_matches(str(name), SIMULATORS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"simulator {name!r} is unknown; valid: {', '.join(SIMULATORS)}{hint}")
    if name == "auto":
        name = _choose(num_qubits, device)
    return _load(name, device, mps or MatrixProductLimits())


def _choose(num_qubits: int, device: str) -> str:
    if num_qubits <= (MAX_EXACT_QUBITS_WITH_GPU if device == "GPU" else MAX_EXACT_QUBITS):
        return "exact"
    if device == "GPU" and num_qubits <= MAX_VECTOR_QUBITS:
        import torch

        if torch.cuda.is_available():
            return "torch"
    if num_qubits <= MAX_EXACT_QUBITS or find_spec("qiskit_aer") is None:
        return "exact"
    return "aer" if num_qubits <= MAX_VECTOR_QUBITS else "mps"


@lru_cache
def _load(name: str, device: str, mps: MatrixProductLimits) -> Simulator:
    if name == "exact":
        from quasar.simulation.statevector.exact import ExactSimulator

        return ExactSimulator()
    if name == "torch":
        from quasar.simulation.torch_backend import TorchBackend

        return TorchBackend(device)
    if find_spec("qiskit_aer") is None:
        raise ConfigError(
            f"simulator {name!r} needs qiskit-aer; install it or set simulator: exact"
        )
    if name == "mps":
        from quasar.simulation.aer.mps import MatrixProductBackend

        return MatrixProductBackend(mps)
    from quasar.simulation.aer.statevector import AerBackend

    return AerBackend(device)
