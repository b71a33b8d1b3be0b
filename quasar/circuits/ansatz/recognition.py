"""From a circuit back to its ansatz family, layers and parameters.

Takes OpenQASM 3 text or a `Circuit`; gives `Recognised`, or None for a circuit of no family here.
Templates and the adaptive form are told by their gates alone, QAOA by its layout and, where the
Hamiltonian is given, by its terms (`quasar.circuits.ansatz.alternating`). At one and the
same gates the family with fewer parameters is named: QAOA before multi-angle QAOA.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from quasar.circuits.ansatz.adaptive import POOL_GATES, Adaptive
from quasar.circuits.ansatz.alternating import (
    AlternatingLayer,
    fit_multi_angle,
    fit_qaoa,
    implied_hamiltonian,
    printed_decimals,
    read_layers,
    starts_uniform,
)
from quasar.circuits.ansatz.base import Ansatz, ParameterisedCircuit
from quasar.circuits.ansatz.hardware_efficient import TEMPLATES
from quasar.circuits.ansatz.qaoa import MultiAngleQaoa, Qaoa
from quasar.circuits.canonical import (
    COEFFICIENT_DECIMALS,
    CONVERTED_DECIMALS,
    MOST_COEFFICIENT_DECIMALS,
    as_printed,
)
from quasar.circuits.circuit import PUBLISHED_DECIMALS, Circuit
from quasar.circuits.qasm import read_qasm
from quasar.problems.hamiltonian import IsingHamiltonian

_EXACT = 12  # decimals of angles that were not rounded


@dataclass(frozen=True, slots=True)
class Recognised:
    """A circuit's ansatz. `build()` gives the circuit again.

    parameters: independent ones, radians, in the order of the family, as exact as the printed
    angles tell them. hamiltonian: the one given; else, for QAOA, the one that the circuit implies
    (see `recognise`), and for the other families one without terms.
    """

    ansatz: Ansatz
    layers: int
    parameters: tuple[float, ...]
    hamiltonian: IsingHamiltonian

    @property
    def family(self) -> str:
        """qaoa, ma_qaoa, hardware_efficient or adaptive."""
        return self.ansatz.family

    @property
    def template(self) -> str | None:
        """sim_1 … sim_19; None outside the family hardware_efficient."""
        return self.ansatz.name if self.ansatz.family == "hardware_efficient" else None

    def build(self, *, decimals: int = PUBLISHED_DECIMALS) -> Circuit:
        """The circuit of these parameters in the published form."""
        return self.ansatz.build(
            self.hamiltonian, self.parameters, layers=self.layers, decimals=decimals
        )


def recognise(
    program: str | Circuit, hamiltonian: IsingHamiltonian | None = None
) -> Recognised | None:
    """The family, layers and parameters of a circuit; None where it has none of the families.

    With `hamiltonian`, QAOA is recognised where every cost layer is exp(−iγH) of exactly that H, up
    to the rounding of the printed angles: terms in any order; angles modulo 2π; terms whose angle
    rounds to zero may be left out (γ is then known up to a period). Or of
    exactly the H whose coefficients are rounded as canonical programs print them
    (`quasar.circuits.canonical`). A term that H does not have, or
    another number of qubits, is no QAOA of H.

    Without it γ and H are known up to a common factor only. QAOA is then given for the H that has
    half the angles of the layer with the largest one as coefficients (there γ = 1); multi-angle
    QAOA for the H with coefficients 1. Several layers with wrapped angles may then pass for
    multi-angle QAOA, since a wrapped angle does not tell its coefficient.

    Raises CircuitError for text that is not a circuit.
    """
    circuit = read_qasm(program) if isinstance(program, str) else program
    terms = hamiltonian or IsingHamiltonian(circuit.num_qubits, ())
    if terms.num_qubits != circuit.num_qubits:
        return None
    return (
        _template(circuit, terms) or _adaptive(circuit, terms) or _alternating(circuit, hamiltonian)
    )


def _template(circuit: Circuit, hamiltonian: IsingHamiltonian) -> Recognised | None:
    for ansatz in TEMPLATES:
        if circuit.num_qubits < ansatz.min_qubits:
            continue
        start, layer = _num_gates(ansatz, circuit.num_qubits)
        layers, rest = divmod(len(circuit.gates) - start, layer)
        if rest or layers < 1:
            continue
        form = ansatz.circuit(hamiltonian, layers=layers)
        if _same_gates(form.structure, circuit):
            parameters = _parameters_of(form, circuit)
            if parameters is not None:
                return Recognised(ansatz, layers, parameters, hamiltonian)
    return None


@lru_cache(maxsize=1024)
def _num_gates(ansatz: Ansatz, num_qubits: int) -> tuple[int, int]:
    """Gates before the first layer, and of one layer."""
    empty = IsingHamiltonian(num_qubits, ())
    one, two = (len(ansatz.circuit(empty, layers=k).structure.gates) for k in (1, 2))
    return 2 * one - two, two - one


def _same_gates(first: Circuit, second: Circuit) -> bool:
    return all(
        a.name == b.name and a.qubits == b.qubits
        for a, b in zip(first.gates, second.gates, strict=True)
    )


def _parameters_of(form: ParameterisedCircuit, circuit: Circuit) -> tuple[float, ...] | None:
    """One value a parameter; None where angles that share one differ."""
    values: dict[int, float] = {}
    for slot, scale, angle in zip(form.slots, form.scales, circuit.parameters, strict=True):
        if values.setdefault(int(slot), angle / float(scale)) != angle / float(scale):
            return None
    return tuple(values[slot] for slot in range(form.num_parameters))


def _adaptive(circuit: Circuit, hamiltonian: IsingHamiltonian) -> Recognised | None:
    """h on every qubit, then at least one operator of the pool, none twice."""
    if not starts_uniform(circuit):
        return None
    operators = tuple((g.name, g.qubits) for g in circuit.gates[circuit.num_qubits :])
    known = all(name in POOL_GATES for name, _ in operators)
    if not operators or not known or len(set(operators)) != len(operators):
        return None
    return Recognised(Adaptive(operators), 1, circuit.parameters, hamiltonian)


def _alternating(circuit: Circuit, hamiltonian: IsingHamiltonian | None) -> Recognised | None:
    layers = read_layers(circuit)
    if layers is None:
        return None
    if hamiltonian is None:
        if not any(layer.terms for layer in layers):
            return None
        # The largest angles tell the coefficients best; they carry a rounding of their own.
        widest = max(layers, key=lambda layer: max(map(abs, layer.terms.values()), default=0.0))
        for_qaoa, roundings = implied_hamiltonian(circuit.num_qubits, layers, unit=widest), 2
        for_multi_angle = implied_hamiltonian(circuit.num_qubits, layers, unit=None)
    else:
        known = {frozenset(wires) for _, wires in hamiltonian.terms}
        if not all(layer.terms.keys() <= known for layer in layers):
            return None
        for_qaoa, roundings, for_multi_angle = hamiltonian, 1, hamiltonian
    parameters = None
    if hamiltonian is not None and circuit.gates[-1].name == "rx":
        parameters = _fit_canonical(layers, hamiltonian)
    if parameters is None:
        decimals = printed_decimals(circuit)
        parameters = fit_qaoa(layers, for_qaoa, decimals=decimals, roundings=roundings)
    if parameters is not None:
        return Recognised(Qaoa(), len(layers), parameters, for_qaoa)
    parameters = fit_multi_angle(layers, for_multi_angle)
    if parameters is not None:
        return Recognised(MultiAngleQaoa(), len(layers), parameters, for_multi_angle)
    return None


def _fit_canonical(
    layers: Sequence[AlternatingLayer], hamiltonian: IsingHamiltonian
) -> tuple[float, ...] | None:
    """Of a canonical program: its angles are products of what is printed, not rounded, or rounded
    where it was converted.
    """
    places = (None, *range(COEFFICIENT_DECIMALS, MOST_COEFFICIENT_DECIMALS + 1))
    candidates = [as_printed(hamiltonian, decimals=decimals) for decimals in places]
    for decimals in (_EXACT, CONVERTED_DECIMALS):
        for printed in candidates:
            parameters = fit_qaoa(layers, printed, decimals=decimals, roundings=1)
            if parameters is not None:
                return parameters
    return None
