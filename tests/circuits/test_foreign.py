"""Circuits of other libraries: the same distribution as theirs, and what is refused by name."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit, QuantumRegister, qasm2, transpile
from qiskit.circuit import ClassicalRegister, Parameter
from qiskit.circuit.library import PauliEvolutionGate, UnitaryGate
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.transpiler import CouplingMap

import quasar
from quasar.circuits.export import program_to_pennylane, program_to_qiskit
from quasar.circuits.foreign import program_of
from quasar.circuits.qasm import Limits, read_qasm
from quasar.errors import CircuitError, InputError
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities


def distribution(circuit):
    """Of the program that the verifier reads, index little-endian."""
    program = read_qasm(program_of(circuit), Limits())
    return probabilities(encode(program))


def example(*, measured=True):
    made = QuantumCircuit(4)
    for q in range(4):
        made.ry(0.3 + 0.4 * q, q)
    made.rzz(0.7, 0, 3)
    made.cx(1, 2)
    made.append(
        PauliEvolutionGate(SparsePauliOp(["XXII", "IIZZ"], [0.5, -0.25]), time=0.8), range(4)
    )
    made.cp(0.2, 3, 1)
    made.sx(2)
    if measured:
        made.measure_all()
    return made


def expected():
    return Statevector(example(measured=False)).probabilities()


@pytest.mark.parametrize("measured", [True, False])
def test_a_qiskit_circuit_is_its_distribution(measured):
    assert distribution(example(measured=measured)) == pytest.approx(expected(), abs=1e-6)


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_transpiled_circuit_on_physical_qubits_keeps_its_meaning(measured, seed):
    there = transpile(
        example(measured=measured),
        basis_gates=["rz", "sx", "x", "cx"],
        coupling_map=CouplingMap.from_line(7),
        optimization_level=3,
        seed_transpiler=seed,
        initial_layout=[4, 2, 5, 3] if seed == 3 else None,
    )
    assert there.num_qubits == 7
    assert distribution(there) == pytest.approx(expected(), abs=1e-6)


def test_a_device_of_ibm():
    fakes = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    there = transpile(example(), fakes.FakeManilaV2(), optimization_level=1, seed_transpiler=0)
    assert distribution(there) == pytest.approx(expected(), abs=1e-6)


def test_bits_say_which_variable_a_qubit_is():
    bits = ClassicalRegister(3, "out")
    made = QuantumCircuit(QuantumRegister(3, "a"), bits)
    made.x(0)
    made.measure([0, 1, 2], [2, 0, 1])
    assert distribution(made).argmax() == 0b100


def test_gates_without_a_definition_to_export():
    made = QuantumCircuit(2)
    made.append(UnitaryGate(np.kron([[0, 1], [1, 0]], np.eye(2))), [0, 1])
    assert distribution(made).argmax() == 0b10


def test_openqasm_2_is_read():
    plain = transpile(example(), basis_gates=["u3", "cx", "rzz", "cu1"], optimization_level=1)
    text = qasm2.dumps(plain)
    assert distribution(text) == pytest.approx(expected(), abs=1e-6)
    assert distribution(f"// mine\n{text}") == pytest.approx(expected(), abs=1e-6)


PROGRAM_3 = (
    'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[1] q;\nbit[1] c;\nx q[0];\nc = measure q;'
)


def test_other_text_is_left_as_it_is():
    assert program_of(PROGRAM_3) == PROGRAM_3
    said = f"Here is the OPENQASM 2.0; program that I turned into 3:\n```\n{PROGRAM_3}\n```"
    assert program_of(said) == said


def test_pennylane():
    qml = pytest.importorskip("pennylane")
    with qml.tape.QuantumTape() as tape:
        qml.RY(0.4, wires=2)
        qml.RX(1.1, wires=0)
        qml.CNOT(wires=[2, 0])
        qml.IsingZZ(0.7, wires=[0, 1])
        qml.Hadamard(wires=1)
    own = qml.matrix(tape, wire_order=[2, 1, 0])[:, 0]
    assert distribution(tape) == pytest.approx(abs(own) ** 2, abs=1e-6)

    @qml.qnode(qml.device("default.qubit", wires=["b", "a"]))
    def node():
        qml.PauliX("b")
        return qml.probs()

    assert distribution(node).argmax() == 0b10  # a, b in natural order

    @qml.qnode(qml.device("default.qubit", wires=1))
    def open_node(angle):
        qml.RX(angle, wires=0)
        return qml.probs()

    with pytest.raises(InputError, match="takes arguments"):
        program_of(open_node)


def test_pytket():
    pytket = pytest.importorskip("pytket")
    made = pytket.Circuit(3).Ry(0.3, 0).CX(0, 2).Rz(0.4, 2).H(1).ZZPhase(0.2, 0, 1).Rx(0.25, 1)
    own = made.get_statevector()  # big-endian
    little = [int(f"{state:03b}"[::-1], 2) for state in range(8)]
    assert distribution(made) == pytest.approx(abs(own[little]) ** 2, abs=1e-6)
    assert distribution(made.copy().measure_all()) == pytest.approx(abs(own[little]) ** 2, abs=1e-6)


def middle_measurement():
    made = QuantumCircuit(2, 2)
    made.measure(0, 0)
    made.x(0)
    return made


def half_measured():
    made = QuantumCircuit(2, 1)
    made.h([0, 1])
    made.measure(0, 0)
    return made


def routed():
    """Qubits 0 and 1 meet over the one between them."""
    made = QuantumCircuit(2)
    made.cz(0, 1)
    line = CouplingMap.from_line(3)
    return transpile(made, coupling_map=line, initial_layout=[0, 2], seed_transpiler=0)


def conditional():
    made = QuantumCircuit(2, 2)
    made.measure(0, 0)
    with made.if_test((made.clbits[0], 1)):
        made.x(1)
    made.measure(1, 1)
    return made


def with_parameter():
    made = QuantumCircuit(1)
    made.rx(Parameter("beta"), 0)
    return made


def twice():
    made = QuantumCircuit(2, 1)
    made.measure([0, 1], [0, 0])
    return made


BAD = [
    (middle_measurement(), "used by x after it was measured"),
    (routed(), "route a transpiled circuit over its own qubits alone"),
    (half_measured(), "qubit 1 is used and not measured"),
    (conditional(), "uses classical bits"),
    (with_parameter(), "parameters without a value (beta)"),
    (twice(), "classical bit 0 is measured into twice"),
    (object(), "builtins.object is no circuit"),
    (3, "is no circuit"),
    ("OPENQASM 2.0;\nqreg q[2];\nfoo q[0];", "OpenQASM 2: "),
    ('OPENQASM 2.0;\ninclude "/etc/hostname";\nqreg q[2];', "OpenQASM 2: "),
    ("OPENQASM 2.0;\nqreg q[999999999];", "declares 999999999 qubits"),
]


@pytest.mark.parametrize(("circuit", "part"), BAD, ids=range(len(BAD)))
def test_what_is_no_circuit_is_refused(circuit, part):
    with pytest.raises(InputError) as caught:
        program_of(circuit)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_reset_is_refused_by_the_reader():
    made = QuantumCircuit(1)
    made.reset(0)
    with pytest.raises(CircuitError, match="reset"):
        read_qasm(program_of(made), Limits())


def test_programs_go_back_to_qiskit_and_pennylane():
    program = program_of(example())
    back = program_to_qiskit(program)
    assert back.num_clbits == 4
    back.remove_final_measurements()
    assert Statevector(back).probabilities() == pytest.approx(expected(), abs=1e-6)
    qml = pytest.importorskip("pennylane")
    device = qml.device("default.qubit", wires=4)

    @qml.qnode(device)
    def node():
        program_to_pennylane(program)()
        return qml.probs(wires=[3, 2, 1, 0])  # PennyLane's first wire is the most significant

    assert node() == pytest.approx(expected(), abs=1e-6)


def test_every_gate_of_the_standard_library_goes_to_pennylane():
    qml = pytest.importorskip("pennylane")
    from quasar.circuits.circuit import STANDARD_GATES

    for name, (num_params, num_qubits) in STANDARD_GATES.items():
        angles = [0.3 + 0.4 * k for k in range(num_params)]
        said = f"({', '.join(map(str, angles))})" if angles else ""
        wires = ", ".join(f"q[{q}]" for q in range(num_qubits))
        around = [f"ry({0.5 + q}) q[{q}];" for q in range(num_qubits)]
        program = "\n".join([
            "OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{num_qubits}] q;",
            f"bit[{num_qubits}] c;", *around, f"{name}{said} {wires};",
            *(f"rx({1 + q}) q[{q}];" for q in range(num_qubits)), "c = measure q;",
        ])  # fmt: skip

        @qml.qnode(qml.device("default.qubit", wires=num_qubits))
        def node(program=program, n=num_qubits):
            program_to_pennylane(program)()
            return qml.probs(wires=range(n)[::-1])

        assert node() == pytest.approx(distribution(program), abs=1e-7), name


SQUARE = "max cut of 0-1:10 1-2:1 2-3:1 3-0:1 0-2:10 1-3:10"


def test_verify_in_python():
    made = QuantumCircuit(4)
    made.x([0, 3])
    right = quasar.verify(made, SQUARE)
    assert right.report.valid
    assert right.report.distribution.optimum_probability == pytest.approx(1)
    assert right.report.distribution.most_probable[0].answer == [1, 2]
    wrong = quasar.verify("OPENQASM 3.0;\nqubit[4] q;\nfoo q[0];", SQUARE)
    assert not wrong.report.valid
    assert wrong.report.error.line == 3
    other = quasar.verify(example(), SQUARE, diagnose=False)
    assert 0 < other.report.distribution.optimum_probability < 1
    assert other.reward.value < right.reward.value
    assert math.isfinite(other.report.expectation.energy)
