"""Batched state vectors on torch: many circuits of one qubit count at once, on a CPU or with CUDA.

Takes circuits of standard gates and the energies of a diagonal Hamiltonian; gives probabilities,
expectation values and gradients by every angle. Circuits that differ in angles only, such as many
starts of an optimiser, share each step; the others run side by side. The batch is cut into pieces
that keep within a budget of bytes.

The gradient is the adjoint method, as in `quasar.simulation.kernels`: it keeps two states, where
automatic differentiation keeps one a gate.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from quasar.circuits.circuit import Circuit
from quasar.errors import SimulationError, SimulationMemoryError
from quasar.simulation.distributions import FromProbabilities
from quasar.simulation.encoding import NUM_ANGLES, EncodedCircuit, encode
from quasar.simulation.memory import available_bytes, require
from quasar.simulation.torch_programs import (
    Alike,
    Different,
    Program,
    derivatives_of,
    matrices_of,
)

_DTYPES = {"complex128": torch.complex128, "complex64": torch.complex64}
# States' worth of memory at the peak of a step, the batch itself among them.
_COPIES = {Alike: 6, Different: 12}
_ROW_BYTES = 16 * (4 + 12) * 3  # matrices and derivatives of a row, and what making them takes
# Above this, unlike circuits run one after the other: gathering partners costs more than launching
# each circuit's own steps. Measured on two CPU cores; the figure for CUDA is an estimate.
_MAX_DIFFERENT_QUBITS = {"cpu": 9, "cuda": 16}
_SHARE = 0.5  # of the free memory, unless a budget is given


class TorchBackend(FromProbabilities):
    """State vectors of a batch of circuits. `device` is the one in use: "cuda" only where it is."""

    name = "torch"

    def __init__(
        self,
        device: str = "CPU",
        *,
        precision: str = "complex128",
        memory_bytes: int | None = None,
    ):
        """precision: "complex128", or "complex64" with probabilities good to about 1e-5.

        memory_bytes: budget of one piece of a batch; by default half of what is free.
        """
        self.device = "cuda" if device == "GPU" and torch.cuda.is_available() else "cpu"
        self._dtype = _DTYPES[precision]
        self._memory_bytes = memory_bytes

    def statevector(self, circuit: Circuit) -> np.ndarray:
        """Final amplitudes, shape (2**n,), little-endian."""
        ((_, program),) = self._pieces([encode(circuit)])
        return self._run(program)[0].cpu().numpy()

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """|amplitude|², shape (2**n,), float64."""
        return self.batch_probabilities([circuit])[0]

    def batch_probabilities(self, circuits: Sequence[Circuit]) -> np.ndarray:
        """|amplitude|² of each circuit, float64 (B, 2**n), on the host.

        Raises SimulationError for unequal qubit counts, SimulationMemoryError where one circuit
        does not fit.
        """
        encoded = _encode(circuits)
        n = encoded[0].num_qubits
        require(8 * len(encoded) << n, f"a distribution of {n} qubits for {len(encoded)} circuits")
        result = np.empty((len(encoded), 1 << n))
        for places, program in self._pieces(encoded):
            result[places] = _squares(self._run(program)).cpu().numpy()
        return result

    def batch_energies(self, circuits: Sequence[Circuit], energies: np.ndarray) -> np.ndarray:
        """⟨diag(energies)⟩ of each circuit, float64 (B,).

        energies: float64, (2**n,) for all or (B, 2**n) with one row a circuit.
        """
        encoded = _encode(circuits)
        values = np.empty(len(encoded))
        for places, program in self._pieces(encoded):
            weights = self._weights(energies, places)
            values[places] = (_squares(self._run(program)) * weights).sum(1).cpu().numpy()
        return values

    def batch_gradients(
        self, circuits: Sequence[Circuit | EncodedCircuit], energies: np.ndarray
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """⟨diag(energies)⟩ of each circuit and its derivatives by the circuit's angles (radians).

        energies: as for `batch_energies`. Returns (values (B,), a float64 array (num_angles,) a
        circuit, in the order of `Circuit.parameters`).
        """
        encoded = _encode(circuits)
        values = np.empty(len(encoded))
        gradients = [np.zeros(len(circuit.angles)) for circuit in encoded]
        for places, program in self._pieces(encoded):
            values[places], slopes = self._value_and_slopes(
                program, self._weights(energies, places)
            )
            for b, place in enumerate(places):
                rows = encoded[place].rows
                for which in range(3):
                    has = np.isin(
                        rows[:, 0], [o for o, count in NUM_ANGLES.items() if count > which]
                    )
                    np.add.at(
                        gradients[place], rows[has, 3] + which, slopes[: len(rows), which, b][has]
                    )
        return values, gradients

    def _run(self, program: Program) -> torch.Tensor:
        states = torch.zeros(
            (len(program.lengths), 1 << program.num_qubits), dtype=self._dtype, device=self.device
        )
        states[:, 0] = 1.0
        for k, m in enumerate(self._tensors(program, matrices_of(program))):
            program.apply(states, k, m)
        return states

    def _value_and_slopes(
        self, program: Program, weights: torch.Tensor
    ) -> tuple[np.ndarray, np.ndarray]:
        """(values (B,), derivative by each angle of each row, float64 (rows, 3, B))."""
        ket = self._run(program)
        bra = ket * weights
        values = (_squares(ket) * weights).sum(1).cpu().numpy()
        adjoints = self._tensors(program, matrices_of(program).conj().swapaxes(-1, -2))
        changes = self._tensors(program, derivatives_of(program))
        used = _angles_used(program)
        slopes = torch.zeros((len(adjoints), 3, len(program.lengths)), dtype=torch.float64)
        slopes = slopes.to(self.device)
        first = int(np.flatnonzero(used)[0]) if used.any() else len(used)
        for k in range(len(adjoints) - 1, first - 1, -1):
            program.apply(ket, k, adjoints[k])
            for which in range(used[k]):
                m = changes[k][which]
                slopes[k, which, : len(m)] = 2.0 * program.overlap(bra, ket, k, m)
            program.apply(bra, k, adjoints[k])
        return values, slopes.cpu().numpy()

    def _tensors(self, program: Program, numbers: np.ndarray) -> list[torch.Tensor]:
        """Row by row on the device, only the circuits that have that row."""
        tensor = torch.from_numpy(np.ascontiguousarray(numbers)).to(self.device, self._dtype)
        lengths = np.array(program.lengths)
        return [row[..., : int((lengths > k).sum()), :, :] for k, row in enumerate(tensor)]

    def _weights(self, energies: np.ndarray, places: Sequence[int]) -> torch.Tensor:
        energies = np.asarray(energies, dtype=np.float64)
        chosen = energies if energies.ndim == 1 else energies[places]
        real = torch.float64 if self._dtype == torch.complex128 else torch.float32
        return torch.tensor(chosen, dtype=real, device=self.device)

    def _pieces(self, encoded: Sequence[EncodedCircuit]) -> Iterator[tuple[list[int], Program]]:
        """(places in the batch, program) until every circuit has had its turn."""
        groups = defaultdict(list)
        for place, circuit in enumerate(encoded):
            groups[circuit.rows.tobytes()].append(place)
        alone = [places[0] for places in groups.values() if len(places) == 1]
        if len(alone) == 1 or encoded[0].num_qubits > _MAX_DIFFERENT_QUBITS[self.device]:
            alone = []
        tasks = [(Alike, places) for places in groups.values() if len(places) > 1 or not alone]
        if alone:
            alone.sort(key=lambda place: len(encoded[place].rows), reverse=True)
            tasks.append((Different, alone))
        for kind, places in tasks:
            size = self._piece_size(kind, encoded[places[0]])
            for start in range(0, len(places), size):
                piece = places[start : start + size]
                yield piece, kind([encoded[place] for place in piece], self.device)

    def _piece_size(self, kind: type, longest: EncodedCircuit) -> int:
        """How many circuits fit in the budget at once."""
        budget = self._memory_bytes
        if budget is None:
            free = torch.cuda.mem_get_info()[0] if self.device == "cuda" else available_bytes()
            budget = int(_SHARE * free)
        states = self._dtype.itemsize * _COPIES[kind] << longest.num_qubits
        needed = states + _ROW_BYTES * len(longest.rows)
        if needed > budget:
            raise SimulationMemoryError(
                f"a state vector of {longest.num_qubits} qubits on torch needs {needed >> 20} MiB, "
                f"the budget is {budget >> 20} MiB; take fewer qubits or set simulator: exact"
            )
        return budget // needed


def _encode(circuits: Sequence[Circuit | EncodedCircuit]) -> list[EncodedCircuit]:
    encoded = [c if isinstance(c, EncodedCircuit) else encode(c) for c in circuits]
    sizes = sorted({circuit.num_qubits for circuit in encoded})
    if len(sizes) != 1:
        raise SimulationError(f"a batch has circuits of one qubit count; these have {sizes}")
    return encoded


def _squares(states: torch.Tensor) -> torch.Tensor:
    return states.real**2 + states.imag**2


def _angles_used(program: Program) -> np.ndarray:
    """How many angles row k has at most, int (rows,)."""
    counts = np.array([NUM_ANGLES.get(operation, 0) for operation in range(15)])
    return counts[program.operations].max(axis=0, initial=0)
