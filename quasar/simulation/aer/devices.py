"""Noisy devices: what a circuit becomes on one, and the errors of its gates and measurements.

Takes a `Circuit`; gives a `CompiledCircuit` on the qubits that it uses. A device is either a
snapshot of a real one as IBM's runtime package ships it (read offline), or the textbook one whose
gates depolarise at given rates. Errors are those of gates and readout; waiting qubits do not decay.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.transpiler import PassManager, Target, generate_preset_pass_manager
from qiskit_aer.noise import QuantumError, depolarizing_error
from qiskit_aer.noise.device import basic_device_gate_errors

from quasar.circuits.circuit import Circuit
from quasar.circuits.to_qiskit import to_qiskit
from quasar.config import NoiseConfig
from quasar.errors import ConfigError, SimulationError

# name -> class in qiskit_ibm_runtime.fake_provider. Qubits: 5, 16, 27, 127, 133, 156.
SNAPSHOTS = {
    "fake_manila": "FakeManilaV2",
    "fake_guadalupe": "FakeGuadalupeV2",
    "fake_kolkata": "FakeKolkataV2",
    "fake_sherbrooke": "FakeSherbrooke",
    "fake_torino": "FakeTorino",
    "fake_marrakesh": "FakeMarrakesh",
}
OPTIMIZATION_LEVEL = 2  # of Qiskit's preset pass managers
VIRTUAL = frozenset(("rz", "id", "barrier", "delay"))  # no pulse: no error and no time

PlacedGate = tuple[str, tuple[int, ...]]  # a gate's name and the device's qubits


@dataclass(frozen=True, slots=True)
class CompiledCircuit:
    """A circuit in a device's gates, on the qubits that it uses.

    circuit: without measurements; physical: the device's qubit of each of its qubits; measured: the
    place in `circuit` where each qubit of the program is at the end. depth: longest chain of gates,
    measurement not counted; duration_s: with measurement, None where the device has no gate times.
    """

    circuit: QuantumCircuit
    physical: tuple[int, ...]
    measured: tuple[int, ...]
    depth: int
    num_two_qubit_gates: int
    duration_s: float | None

    def steps(self) -> Iterable[PlacedGate]:
        """(name, device's qubits) of each gate."""
        for step in self.circuit.data:
            places = (self.circuit.find_bit(bit).index for bit in step.qubits)
            yield step.operation.name, tuple(self.physical[p] for p in places)


class DepolarizingDevice:
    """All qubits connected; gates rz, sx, x, cx; rz is exact, the others depolarise."""

    name = "depolarizing"

    def __init__(self, one_qubit_error: float, two_qubit_error: float, readout_error: float):
        """Rates in [0, 1]: ρ → (1−p)·ρ + p·I/2^n; a bit is read wrong with readout_error."""
        self._errors = [
            depolarizing_error(p, k + 1) for k, p in enumerate((one_qubit_error, two_qubit_error))
        ]
        self._readout = readout_error

    @cached_property
    def passes(self) -> PassManager:
        return generate_preset_pass_manager(
            OPTIMIZATION_LEVEL, basis_gates=["rz", "sx", "x", "cx"], seed_transpiler=0
        )

    def gate_errors(self, steps: Iterable[PlacedGate]) -> dict[PlacedGate, QuantumError]:
        return {step: self._errors[len(step[1]) - 1] for step in steps if step[0] not in VIRTUAL}

    def assignment(self, qubit: int) -> np.ndarray:
        return _assignment(self._readout, self._readout)

    def check_size(self, num_qubits: int) -> None:
        """Any number of qubits."""

    def duration_s(self, compiled: QuantumCircuit) -> None:
        return None


class BackendDevice:
    """A backend of Qiskit, as it was last calibrated: coupling map, error rates, gate times."""

    def __init__(self, backend: Any, name: str | None = None):
        """backend: of Qiskit's interface BackendV2. name: what it is called here."""
        self.name = name or backend.name
        self.backend = backend
        self._target: Target = backend.target
        # a backend need not have any
        self._properties = getattr(backend, "properties", lambda: None)()
        self._errors: dict[PlacedGate, QuantumError | None] = {}

    @cached_property
    def passes(self) -> PassManager:
        """From any circuit to one that the device runs; the same one each time."""
        return generate_preset_pass_manager(
            OPTIMIZATION_LEVEL, backend=self.backend, seed_transpiler=0
        )

    def gate_errors(self, steps: Iterable[PlacedGate]) -> dict[PlacedGate, QuantumError]:
        """Depolarising and relaxation error of each gate that has one, as Aer derives it."""
        steps = set(steps)
        missing = steps - self._errors.keys()
        if missing:
            self._errors |= dict.fromkeys(missing) | self._derive(missing)
        return {step: error for step in steps if (error := self._errors[step]) is not None}

    def assignment(self, qubit: int) -> np.ndarray:
        """P(read | prepared), rows the value read."""
        values = self._properties.qubit_property(qubit) if self._properties else {}
        error = getattr(self._target["measure"].get((qubit,)), "error", None) or 0.0
        one_as_zero, zero_as_one = (
            values.get(name, (error,))[0] for name in ("prob_meas0_prep1", "prob_meas1_prep0")
        )
        return _assignment(zero_as_one, one_as_zero)

    def check_size(self, num_qubits: int) -> None:
        """Raises SimulationError for more qubits than the device has."""
        if num_qubits > self._target.num_qubits:
            raise SimulationError(
                f"{self.name} has {self._target.num_qubits} qubits, the circuit {num_qubits}; "
                "name a larger device"
            )

    def error(self, name: str, qubits: tuple[int, ...]) -> float:
        """Probability that a gate, or "measure", goes wrong, as calibrated; 0 where untold."""
        return getattr(self._target[name].get(qubits), "error", None) or 0.0

    def duration_s(self, compiled: QuantumCircuit) -> float:
        """Seconds from the first pulse to the end of the measurement, gates as soon as they can."""
        ready: dict = {}
        for step in compiled.data:
            start = max((ready.get(bit, 0.0) for bit in step.qubits), default=0.0)
            qubits = tuple(compiled.find_bit(bit).index for bit in step.qubits)
            length = 0.0
            if step.operation.name not in VIRTUAL:
                told = self._target[step.operation.name].get(qubits)
                length = getattr(told, "duration", None) or 0.0
            ready |= dict.fromkeys(step.qubits, start + length)
        return max(ready.values(), default=0.0)

    def _derive(self, steps: set[PlacedGate]) -> dict[PlacedGate, QuantumError]:
        """Through a target of these gates only: all gates of a large device take seconds."""
        few = Target(
            num_qubits=self._target.num_qubits,
            qubit_properties=self._target.qubit_properties,
            dt=self._target.dt,
        )
        for name in {name for name, _ in steps}:
            places = {qubits: self._target[name][qubits] for n, qubits in steps if n == name}
            few.add_instruction(self._target.operation_from_name(name), places)
        errors = basic_device_gate_errors(target=few)
        return {(name, tuple(qubits)): error for name, qubits, error in errors}


Device = DepolarizingDevice | BackendDevice


@lru_cache
def load_device(noise: NoiseConfig) -> Device:
    """The device of that configuration. Raises ConfigError for "none" and a missing package."""
    if noise.model == "none":
        raise ConfigError("noise.model is none; set it to a noise model")
    if noise.model == "depolarizing":
        return DepolarizingDevice(noise.one_qubit_error, noise.two_qubit_error, noise.readout_error)
    return BackendDevice(snapshot(noise.model), noise.model)


def snapshot(name: str) -> Any:
    """The backend `fake_…` of IBM's runtime package, read offline. Raises ConfigError."""
    if find_spec("qiskit_ibm_runtime") is None:
        raise ConfigError(f"{name!r} needs: pip install 'quasar-rl[devices]'")
    from qiskit_ibm_runtime import fake_provider

    camel = "".join(part.capitalize() for part in name.split("_"))
    for known in (SNAPSHOTS.get(name), f"{camel}V2", camel):
        if known and (found := getattr(fake_provider, known, None)) is not None:
            return found()
    raise ConfigError(f"there is no snapshot {name!r}; take one of: {', '.join(SNAPSHOTS)}")


def compile_for(device: Device, circuit: Circuit) -> CompiledCircuit:
    """Translate, place and route with a fixed seed; then keep only the qubits in use.

    Rotations too small for the compiler (below about 2e-5 rad, an infidelity of 1e-10) are dropped.

    Raises SimulationError for more qubits than the device has.
    """
    device.check_size(circuit.num_qubits)
    program = to_qiskit(circuit)
    program.measure_all()
    whole = device.passes.run(program)
    places: dict[int, int] = {}  # clbit -> device's qubit
    gates = []
    for step in whole.data:
        qubits = tuple(whole.find_bit(bit).index for bit in step.qubits)
        if step.operation.name == "measure":
            places[whole.find_bit(step.clbits[0]).index] = qubits[0]
        elif step.operation.name != "barrier":
            gates.append((step.operation, qubits))
    physical = sorted({q for _, qubits in gates for q in qubits} | set(places.values()))
    place_of = {q: k for k, q in enumerate(physical)}
    kept = QuantumCircuit(len(physical))
    for operation, qubits in gates:
        kept.append(operation, [place_of[q] for q in qubits])
    return CompiledCircuit(
        circuit=kept,
        physical=tuple(physical),
        measured=tuple(place_of[places[q]] for q in range(circuit.num_qubits)),
        depth=kept.depth(),
        num_two_qubit_gates=kept.num_nonlocal_gates(),
        duration_s=device.duration_s(whole),
    )


def _assignment(zero_as_one: float, one_as_zero: float) -> np.ndarray:
    return np.array([[1.0 - zero_as_one, one_as_zero], [zero_as_one, 1.0 - one_as_zero]])
