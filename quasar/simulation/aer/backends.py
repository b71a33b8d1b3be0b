"""Circuits on a backend of Qiskit: Aer, snapshots of devices, real ones.

`open_backend(name)` finds one of Qiskit's interface `BackendV2`; `BackendRun` compiles a circuit
for it as `quasar.simulation.aer.devices` does for the noise models, says what the run costs, and
carries it out through a sampler of Qiskit's primitives. What is read goes through the mitigation
that the noise models have.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BackendSamplerV2
from qiskit_aer import AerSimulator

from quasar.circuits.circuit import Circuit
from quasar.errors import ConfigError, SimulationError
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation.aer.devices import (
    VIRTUAL,
    BackendDevice,
    CompiledCircuit,
    DepolarizingDevice,
    compile_for,
    snapshot,
)
from quasar.simulation.aer.mitigation import (
    FOLDED,
    SCALES,
    Mitigated,
    fold,
    inverse_assignments,
    mitigate,
)
from quasar.simulation.base import Samples, require_same_size

AER = "aer"
MITIGATIONS = ("none", "readout", "linear", "richardson")
_REGISTER = "c"


@dataclass(frozen=True, slots=True)
class RunCost:
    """What a run will take, known before it.

    circuits: one for each noise scale; duration_s: of the compiled circuit once, with measurement,
    None where the backend has no gate times; quantum_s: of the device for all shots of all
    circuits, waits between shots included, None likewise; success: probability that no gate and no
    readout of the plain circuit goes wrong, by the rates that the backend tells.
    """

    circuits: int
    shots: int
    qubits: int
    two_qubit_gates: int
    depth: int
    duration_s: float | None
    quantum_s: float | None
    success: float


def open_backend(name: str) -> Any:
    """A backend by name: `aer` (no noise), `fake_…`, `module:callable` (gives a `BackendV2`), else
    one of IBM Quantum, with the account that qiskit-ibm-runtime has stored.

    Raises ConfigError in one line.
    """
    if name == AER:
        return AerSimulator()
    if name.startswith("fake_"):
        return snapshot(name)
    if ":" in name:
        return _of_module(*name.split(":", 1))
    if find_spec("qiskit_ibm_runtime") is None:
        raise ConfigError(
            f"backend {name!r} is none of {AER}, fake_… and module:callable; those of IBM need: "
            "pip install 'quasar-rl[devices]'"
        )
    from qiskit.exceptions import QiskitError
    from qiskit_ibm_runtime import QiskitRuntimeService

    try:
        return QiskitRuntimeService().backend(name)
    except (QiskitError, OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(
            f"backend {name!r}: IBM Quantum: {reason[:300]}; an account is stored once by "
            "QiskitRuntimeService.save_account(token=…)"
        ) from error


def _of_module(module: str, attribute: str) -> Any:
    try:
        made = getattr(import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigError(f"backend {module}:{attribute}: {error}") from error
    if not hasattr(made, "target"):
        raise ConfigError(f"backend {module}:{attribute}: it gives no BackendV2, having no target")
    return made


class BackendRun:
    """One circuit, compiled for one backend. Nothing is submitted before `submit`."""

    def __init__(self, backend: Any, circuit: Circuit, *, mitigation: str = "none"):
        """mitigation: of `MITIGATIONS`; "linear" and "richardson" extrapolate to zero noise what
        has its readout errors inverted. Raises SimulationError where the circuit does not fit, or
        cannot be folded.
        """
        options: Any = getattr(backend, "options", None)
        plain = isinstance(backend, AerSimulator) and options.noise_model is None
        # Aer's own gates are many; with those of the devices it compiles and folds as they do
        self._device = DepolarizingDevice(0.0, 0.0, 0.0) if plain else BackendDevice(backend)
        self._backend = backend
        self._width: int = getattr(backend.target, "num_qubits", 0)
        self._mitigation = mitigation
        self.compiled: CompiledCircuit = compile_for(self._device, circuit)
        strange = {step.operation.name for step in self.compiled.circuit.data} - FOLDED
        if strange and self._scales != SCALES[:1]:
            raise SimulationError(
                f"{backend.name} has gates that are not folded for zero noise "
                f"({', '.join(sorted(strange))}); take the mitigation readout"
            )

    @property
    def remote(self) -> bool:
        """Whether it leaves this machine."""
        return type(self._backend).__module__.startswith("qiskit_ibm_runtime.ibm_backend")

    def cost(self, shots: int) -> RunCost:
        """Before anything is submitted; seconds are those of the device, not of its queue."""
        compiled = self.compiled
        # nothing has a time where the backend tells none
        duration = compiled.duration_s or None
        quantum = None
        if duration is not None:
            wait = getattr(self._backend, "default_rep_delay", None) or 0.0
            quantum = shots * sum(scale * duration + wait for scale in self._scales)
        return RunCost(
            circuits=len(self._scales),
            shots=shots,
            qubits=len(compiled.physical),
            two_qubit_gates=compiled.num_two_qubit_gates,
            depth=compiled.depth,
            duration_s=duration,
            quantum_s=quantum,
            success=self._success(),
        )

    def submit(self, *, shots: int, seed: int = 0) -> "Submitted":
        """To the backend, all circuits as one job. seed: of simulated backends."""
        if self.remote:
            from qiskit_ibm_runtime import SamplerV2

            sampler: Any = SamplerV2(mode=self._backend)
        else:
            options = {"seed_simulator": seed}
            sampler = BackendSamplerV2(backend=self._backend, options=options)
        return Submitted(sampler.run([(p,) for p in self.programs], shots=shots))

    def mitigated(self, outcomes: list[Samples], hamiltonian: IsingHamiltonian) -> Mitigated:
        """⟨H⟩ of what was read, with the mitigation that was asked for."""
        require_same_size(len(self.compiled.measured), hamiltonian)
        inverses = None
        if self._mitigation != "none":
            assignments = [
                self._device.assignment(self.compiled.physical[place])
                for place in self.compiled.measured
            ]
            inverses = inverse_assignments(assignments)
        order = self._mitigation if len(outcomes) > 1 else "none"
        return mitigate(outcomes, hamiltonian, inverses=inverses, order=order)

    @cached_property
    def programs(self) -> list[QuantumCircuit]:
        """One for each noise scale, on the backend's own qubits, measured into one register."""
        return [self._placed(fold(self.compiled.circuit, scale)) for scale in self._scales]

    @property
    def _scales(self) -> tuple[int, ...]:
        return SCALES if self._mitigation in ("linear", "richardson") else SCALES[:1]

    def _placed(self, circuit: QuantumCircuit) -> QuantumCircuit:
        from qiskit.circuit import ClassicalRegister, QuantumRegister

        compiled = self.compiled
        simple = isinstance(self._device, DepolarizingDevice)
        width = circuit.num_qubits if simple else self._width
        measured = ClassicalRegister(len(compiled.measured), _REGISTER)
        whole = QuantumCircuit(QuantumRegister(width), measured)
        for step in circuit.data:
            places = [compiled.physical[circuit.find_bit(bit).index] for bit in step.qubits]
            whole.append(step.operation, places)
        whole.barrier()
        whole.measure([compiled.physical[place] for place in compiled.measured], measured)
        return whole

    def _success(self) -> float:
        device = self._device
        if isinstance(device, DepolarizingDevice):
            return 1.0
        errors = [device.error(*step) for step in self.compiled.steps() if step[0] not in VIRTUAL]
        places = [self.compiled.physical[place] for place in self.compiled.measured]
        errors += [device.error("measure", (place,)) for place in places]
        return float(np.prod([1.0 - error for error in errors]))


class Submitted:
    """A job under way."""

    def __init__(self, job: Any):
        self._job = job

    @property
    def id(self) -> str:
        """As the backend calls it."""
        return str(self._job.job_id())

    def outcomes(self) -> list[Samples]:
        """What was read, by noise scale; waits for it. Raises SimulationError where it failed."""
        from qiskit.exceptions import QiskitError

        try:
            found = self._job.result()
        except QiskitError as error:
            raise SimulationError(f"job {self.id}: {' '.join(str(error).split())}") from error
        registers = [getattr(one.data, _REGISTER) for one in found]
        return [Samples.of(bits.get_int_counts(), bits.num_bits) for bits in registers]


def quantum_seconds(cost: RunCost) -> float:
    """Of the device, 0 where the backend tells no times."""
    return cost.quantum_s if cost.quantum_s is not None and math.isfinite(cost.quantum_s) else 0.0
