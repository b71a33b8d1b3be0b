"""Circuits under the noise of a device: distributions, expectation values, mitigation and cost.

Takes circuits of standard gates and a `NoiseConfig`. The circuit is compiled for the device with a
fixed seed and run by Aer: as a density matrix where the compiled circuit uses few qubits, and then
nothing is sampled; above that as quantum trajectories, one a shot; above a limit it is refused.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import overload

import numpy as np
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import NoiseConfig
from quasar.errors import SimulationError
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.problems.pauli import PauliSum
from quasar.simulation.aer.devices import CompiledCircuit, Device, compile_for, load_device
from quasar.simulation.aer.mitigation import (
    SCALES,
    Mitigated,
    energy,
    fold,
    inverse_assignments,
    mitigate,
    read_out,
)
from quasar.simulation.aer.statevector import run, usable_device
from quasar.simulation.base import Estimate, Samples, require_same_size
from quasar.simulation.distributions import draw
from quasar.simulation.memory import require

# Qubits that the compiled circuit uses. A density matrix takes 16·4**k bytes, a trajectory 16·2**k.
# At 10 a density matrix takes as long as 1024 trajectories; at 12 these take seconds.
MAX_DENSITY_QUBITS = 10
MAX_TRAJECTORY_QUBITS = 14
# Gates after which measuring Z measures the letter.
_TO_Z = {"X": ("h",), "Y": ("sdg", "h"), "Z": (), "I": ()}


@dataclass(frozen=True, slots=True)
class NoisyEstimate(Mitigated):
    """⟨H⟩ on a device, and what running there costs.

    method: "density_matrix" (no
    sampling error) or "trajectories". The compiled circuit's figures are of `CompiledCircuit`.
    """

    method: str
    depth: int
    num_two_qubit_gates: int
    duration_s: float | None


class NoisySimulator:
    """A simulator of a noisy device. Deterministic: trajectories have a fixed seed."""

    def __init__(self, noise: NoiseConfig, *, device: str = "CPU"):
        """device: "CPU" or "GPU", where Aer runs. Raises ConfigError as `load_device` does."""
        self.noise = noise
        self.name = noise.model
        self._device: Device = load_device(noise)
        self._runs_on = usable_device(device)

    def compile(self, circuit: Circuit) -> CompiledCircuit:
        """The circuit as the device would run it. Raises SimulationError where it cannot."""
        compiled = compile_for(self._device, circuit)
        used = len(compiled.physical)
        if used > MAX_TRAJECTORY_QUBITS:
            raise SimulationError(
                f"the circuit uses {used} qubits of {self.name}; noise is simulated up to "
                f"{MAX_TRAJECTORY_QUBITS}"
            )
        return compiled

    def probabilities(self, circuit: Circuit) -> np.ndarray:
        """Distribution of what is read, float64 (2**n,): exact, or the frequencies of the shots."""
        outcome = self._outcome(self.compile(circuit), seed=0)
        if isinstance(outcome, np.ndarray):
            return outcome
        frequencies = np.zeros(1 << circuit.num_qubits)
        states = outcome.bits @ (1 << np.arange(circuit.num_qubits))
        frequencies[states] = outcome.counts / outcome.shots
        return frequencies

    def expectation_value(
        self, circuit: Circuit, hamiltonian: IsingHamiltonian | PauliSum
    ) -> Estimate:
        """⟨H⟩ of what is read, without mitigation."""
        require_same_size(circuit.num_qubits, hamiltonian)
        if isinstance(hamiltonian, PauliSum):
            return self._over_bases(circuit, hamiltonian).raw
        return energy(self._outcome(self.compile(circuit), seed=0), hamiltonian)

    def sample(self, circuit: Circuit, *, shots: int, seed: int) -> Samples:
        """So many readouts."""
        outcome = self._outcome(self.compile(circuit), seed=seed, shots=shots)
        if isinstance(outcome, np.ndarray):
            return draw(outcome, shots=shots, seed=seed)
        return outcome

    def estimate(self, circuit: Circuit, hamiltonian: IsingHamiltonian | PauliSum) -> NoisyEstimate:
        """⟨H⟩ with the mitigation that the configuration names, and the cost of the circuit.

        A sum of Pauli strings is measured basis by basis, each in a run of its own; the cost is
        that of the costliest.
        """
        require_same_size(circuit.num_qubits, hamiltonian)
        if isinstance(hamiltonian, PauliSum):
            return self._over_bases(circuit, hamiltonian)
        compiled = self.compile(circuit)
        inverses = None
        if self.noise.readout_mitigation:
            inverses = inverse_assignments(self._assignments(compiled))
        scales = SCALES if self.noise.zero_noise != "none" else SCALES[:1]
        outcomes = [self._outcome(compiled, seed=scale, scale=scale) for scale in scales]
        found = mitigate(outcomes, hamiltonian, inverses=inverses, order=self.noise.zero_noise)
        return NoisyEstimate(
            raw=found.raw,
            readout_mitigated=found.readout_mitigated,
            zero_noise=found.zero_noise,
            method=_method(compiled),
            depth=compiled.depth,
            num_two_qubit_gates=compiled.num_two_qubit_gates,
            duration_s=compiled.duration_s,
        )

    def _over_bases(self, circuit: Circuit, observable: PauliSum) -> NoisyEstimate:
        found = [
            self.estimate(in_basis(circuit, basis.letters), basis.diagonal)
            for basis in observable.bases
        ] or [self.estimate(circuit, IsingHamiltonian(circuit.num_qubits, ()))]
        durations = [e.duration_s for e in found if e.duration_s is not None]
        return NoisyEstimate(
            raw=_summed([e.raw for e in found], observable.constant),
            readout_mitigated=_summed([e.readout_mitigated for e in found], observable.constant),
            zero_noise=_summed([e.zero_noise for e in found], observable.constant),
            method=found[0].method,
            depth=max(e.depth for e in found),
            num_two_qubit_gates=max(e.num_two_qubit_gates for e in found),
            duration_s=max(durations, default=None),
        )

    def _outcome(
        self, compiled: CompiledCircuit, *, seed: int, scale: int = 1, shots: int | None = None
    ) -> np.ndarray | Samples:
        """What is read: all probabilities of the density matrix, or one readout a trajectory."""
        model = NoiseModel(basis_gates=["rz", "sx", "x", "cx", "cz", "ecr"])
        errors = self._device.gate_errors(compiled.steps())
        place_of = {q: k for k, q in enumerate(compiled.physical)}
        for (name, qubits), error in errors.items():
            model.add_quantum_error(error, name, [place_of[q] for q in qubits])
        program = fold(compiled.circuit, scale)
        if _method(compiled) == "density_matrix":
            require(2 * 16 << 2 * program.num_qubits, f"{program.num_qubits} noisy qubits")
            program.save_probabilities(compiled.measured)  # pyright: ignore[reportAttributeAccessIssue]  # added by Aer
            found = run(self._aer("density_matrix", model), program)["probabilities"]
            return read_out(np.asarray(found), np.stack(self._assignments(compiled)))
        for place, assignment in zip(compiled.measured, self._assignments(compiled), strict=True):
            model.add_readout_error(ReadoutError(assignment.T), [place])
        measured = QuantumCircuit(program.num_qubits, len(compiled.measured))
        measured.compose(program, inplace=True)
        measured.measure(compiled.measured, range(len(compiled.measured)))
        simulator = self._aer("statevector", model)
        counts = run(simulator, measured, shots=shots or self.noise.shots, seed=seed)["counts"]
        states = {int(state, 16): count for state, count in counts.items()}
        return Samples.of(states, len(compiled.measured))

    def _assignments(self, compiled: CompiledCircuit) -> list[np.ndarray]:
        return [self._device.assignment(compiled.physical[place]) for place in compiled.measured]

    def _aer(self, method: str, model: NoiseModel) -> AerSimulator:
        return AerSimulator(method=method, noise_model=model, device=self._runs_on)


def in_basis(circuit: Circuit, letters: str) -> Circuit:
    """The circuit, and gates behind it so that measuring qubit q gives its X, Y or Z (`Basis`)."""
    changes = tuple(
        gate for q, letter in enumerate(letters) for gate in (Gate(g, (q,)) for g in _TO_Z[letter])
    )
    return Circuit(circuit.num_qubits, circuit.gates + changes)


@lru_cache
def get_noisy_simulator(noise: NoiseConfig, *, device: str = "CPU") -> NoisySimulator:
    """The one simulator of that configuration in this process."""
    return NoisySimulator(noise, device=device)


def _method(compiled: CompiledCircuit) -> str:
    few = len(compiled.physical) <= MAX_DENSITY_QUBITS
    return "density_matrix" if few else "trajectories"


@overload
def _summed(estimates: Sequence[Estimate], constant: float) -> Estimate: ...
@overload
def _summed(estimates: Sequence[Estimate | None], constant: float) -> Estimate | None: ...
def _summed(estimates: Sequence[Estimate | None], constant: float) -> Estimate | None:
    """The sum of independent estimates and a constant; None where one is missing."""
    given = [e for e in estimates if e is not None]
    if len(given) < len(estimates):
        return None
    return Estimate(
        constant + math.fsum(e.value for e in given),
        standard_error=math.hypot(*(e.standard_error for e in given)),
    )
