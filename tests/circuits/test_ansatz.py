"""Ansatz families: names, gates, and parameters that angles share."""

import itertools
import pickle

import numpy as np
import pytest

from quasar.circuits.ansatz import ansatz_names, get_ansatz
from quasar.circuits.ansatz.adaptive import operator_pool
from quasar.circuits.ansatz.base import ParameterisedCircuit
from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.circuit import Circuit, Gate
from quasar.errors import InputError
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import energy_and_gradient, statevector

TEMPLATES = [f"sim_{number}" for number in range(1, 20)]
NAMES = ["qaoa", "ma_qaoa", *TEMPLATES, "adaptive"]
# No two coefficients alike, so that no two families have a circuit in common by accident.
HAMILTONIAN = IsingHamiltonian(
    4, ((0.7, (2, 0)), (-1.3, (1, 3, 0)), (0.0, (1, 2)), (2.9, (3,)), (0.0, (0,)), (-0.4, (1,)))
)


def gates_of(circuit):
    return [(gate.name, gate.qubits) for gate in circuit.gates]


def test_names_are_stable():
    assert ansatz_names() == tuple(NAMES)
    assert all(get_ansatz(name).name == name and get_ansatz(name).summary for name in NAMES)
    families = [get_ansatz(name).family for name in NAMES]
    assert families == ["qaoa", "ma_qaoa", *["hardware_efficient"] * 19, "adaptive"]


def test_every_family_can_be_sent_to_another_process():
    for name in NAMES:
        assert pickle.loads(pickle.dumps(get_ansatz(name))) == get_ansatz(name)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_by_parameter_agree_with_finite_differences(name):
    ansatz, layers = get_ansatz(name), 2
    if name == "adaptive":
        ansatz, layers = ansatz.with_operators(operator_pool(4)[::3]), 1
    form = ansatz.circuit(HAMILTONIAN, layers=layers)
    rng = np.random.default_rng(4)
    # Not those of HAMILTONIAN: of its terms circuit 9 makes constants.
    encoded, energies = encode(form.structure), rng.normal(size=16)
    parameters = rng.normal(size=form.num_parameters)
    energy, by_angle = energy_and_gradient(encoded, energies, form.angles(parameters))
    gradient = form.gradient(by_angle)
    assert gradient.shape == (form.num_parameters,)
    assert np.abs(gradient).max() > 0.01
    assert energy == energy_and_gradient(form.bind(parameters), energies)[0]
    for k, step in enumerate(np.eye(form.num_parameters) * 1e-6):
        above, below = (
            energy_and_gradient(encoded, energies, form.angles(parameters + s))[0]
            for s in (step, -step)
        )
        assert gradient[k] == pytest.approx((above - below) / 2e-6, abs=1e-6)


def test_the_gradient_sums_over_the_angles_of_a_parameter():
    form = ParameterisedCircuit(
        Circuit(1, tuple(Gate("ry", (0,), (0.0,)) for _ in range(3))),
        slots=np.array([0, 1, 0]),
        scales=np.array([2.0, 1.0, -3.0]),
        num_parameters=3,
    )
    np.testing.assert_array_equal(form.angles([1.0, 5.0, 7.0]), [2.0, 5.0, -3.0])
    np.testing.assert_array_equal(form.gradient(np.array([1.0, 10.0, 100.0])), [-298.0, 10.0, 0.0])
    with pytest.raises(InputError, match="2 derivatives for 3 angles"):
        form.gradient(np.ones(2))


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_qaoa_is_the_circuit_of_the_builder(layers):
    parameters = np.linspace(-1.7, 1.9, 2 * layers)
    circuit = get_ansatz("qaoa").build(HAMILTONIAN, parameters, layers=layers)
    assert circuit == qaoa_circuit(HAMILTONIAN, parameters[:layers], parameters[layers:])


def test_multi_angle_qaoa_with_equal_angles_prepares_the_state_of_qaoa():
    gamma, beta = (0.37, -0.81), (-0.52, 0.24)
    terms, qubits = len(list(HAMILTONIAN.interactions())), HAMILTONIAN.num_qubits
    angles = [x for g, b in zip(gamma, beta, strict=True) for x in [g] * terms + [b] * qubits]
    one = get_ansatz("ma_qaoa").build(HAMILTONIAN, angles, layers=2, decimals=12)
    other = get_ansatz("qaoa").build(HAMILTONIAN, (*gamma, *beta), layers=2, decimals=12)
    overlap = np.vdot(statevector(encode(one)), statevector(encode(other)))
    assert abs(overlap) == pytest.approx(1.0, abs=1e-10)


# Number of independent parameters of one layer on four qubits: Sim et al., table 1; circuits 5 and
# 6 have one a target instead of one a pair (there 28), circuit 12 applies two twice (there 12).
PARAMETERS = dict(
    zip(
        TEMPLATES,
        [8, 8, 11, 11, 20, 20, 19, 19, 4, 8, 12, 10, 16, 16, 8, 11, 11, 12, 12],
        strict=True,
    )
)


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_have_the_number_of_parameters_of_the_source(name):
    assert get_ansatz(name).num_parameters(HAMILTONIAN) == PARAMETERS[name]


X_Z = "rx0 rz0 rx1 rz1 rx2 rz2 rx3 rz3"
Y_Z = "ry0 rz0 ry1 rz1 ry2 rz2 ry3 rz3"
RX, RY = "rx0 rx1 rx2 rx3", "ry0 ry1 ry2 ry3"
LAYERS = {  # one layer on four qubits, control before target; G stands for the two-qubit gate
    "sim_1": (X_Z, ""),
    "sim_2": (f"{X_Z} G32 G21 G10", "cx"),
    "sim_3": (f"{X_Z} G32 G21 G10", "crz"),
    "sim_4": (f"{X_Z} G32 G21 G10", "crx"),
    "sim_5": (f"{X_Z} G32 G31 G30 G23 G21 G20 G13 G12 G10 G03 G02 G01 {X_Z}", "crz"),
    "sim_6": (f"{X_Z} G32 G31 G30 G23 G21 G20 G13 G12 G10 G03 G02 G01 {X_Z}", "crx"),
    "sim_7": (f"{X_Z} G10 G32 {X_Z} G21", "crz"),
    "sim_8": (f"{X_Z} G10 G32 {X_Z} G21", "crx"),
    "sim_9": (f"h0 h1 h2 h3 G32 G21 G10 {RX}", "cz"),
    "sim_10": (f"{RY} G32 G21 G10 G03 {RY}", "cz"),
    "sim_11": (f"{Y_Z} G10 G32 ry1 rz1 ry2 rz2 G21", "cx"),
    "sim_12": (f"{Y_Z} G10 G32 ry1 ry1 rz2 rz2 G21", "cz"),
    "sim_13": (f"{RY} G30 G23 G12 G01 {RY} G32 G03 G01 G12", "crz"),
    "sim_14": (f"{RY} G30 G23 G12 G01 {RY} G32 G03 G01 G12", "crx"),
    "sim_15": (f"{RY} G30 G23 G12 G01 {RY} G32 G03 G01 G12", "cx"),
    "sim_16": (f"{X_Z} G10 G32 G21", "crz"),
    "sim_17": (f"{X_Z} G10 G32 G21", "crx"),
    "sim_18": (f"{X_Z} G30 G23 G12 G01", "crz"),
    "sim_19": (f"{X_Z} G30 G23 G12 G01", "crx"),
}


def words(circuit):
    return " ".join(name + "".join(map(str, qubits)) for name, qubits in gates_of(circuit))


@pytest.mark.parametrize("name", TEMPLATES)
def test_gates_of_the_templates(name):
    layer, gate = LAYERS[name]
    layer = layer.replace("G", gate)
    ansatz = get_ansatz(name)
    assert words(ansatz.circuit(HAMILTONIAN).structure) == layer
    again = layer.removeprefix(RY).strip() if name == "sim_10" else layer  # its first ry come once
    assert words(ansatz.circuit(HAMILTONIAN, layers=2).structure) == f"{layer} {again}"


def test_second_blocks_end_before_the_last_qubit_of_an_odd_register():
    three = IsingHamiltonian(3, ())
    start = "ry0 rz0 ry1 rz1 ry2 rz2"
    for name, block in (("sim_11", "cx10 ry1 rz1 cx21"), ("sim_12", "cz10 ry1 ry1 cz21")):
        assert words(get_ansatz(name).circuit(three).structure) == f"{start} {block}"


@pytest.mark.parametrize("n", range(2, 9))
def test_no_two_templates_have_the_same_gates(n):
    hamiltonian = IsingHamiltonian(n, ())
    seen = {}
    for name, layers in itertools.product(TEMPLATES, range(1, 9)):
        if n >= get_ansatz(name).min_qubits:
            gates = tuple(gates_of(get_ansatz(name).circuit(hamiltonian, layers=layers).structure))
            assert seen.setdefault(gates, (name, layers)) == (name, layers)
