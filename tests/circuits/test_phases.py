"""Modified gates have the phases of the OpenQASM 3 specification: a control makes them visible.

The specification's matrices are written out here, from its definitions in terms of U and gphase.
"""

import cmath
import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Operator

from quasar.circuits.qasm import read_qasm
from quasar.simulation.aer.statevector import to_qiskit
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities

PI = math.pi
QUBITS = 4
HEAD = f'OPENQASM 3.0; include "stdgates.inc"; qubit[{QUBITS}] q; bit[{QUBITS}] c;\n'
TAIL = "\nc = measure q;"


def phase(angle: float) -> complex:
    return cmath.exp(1j * angle)


def u(theta: float, phi: float, lam: float) -> np.ndarray:
    """The specification's U, shape (2, 2)."""
    plus, minus = 1 + phase(theta), 1 - phase(theta)
    return 0.5 * np.array(
        [[plus, -1j * phase(lam) * minus], [1j * phase(phi) * minus, phase(phi + lam) * plus]]
    )


def power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """The principal power of a unitary matrix."""
    if exponent == int(exponent):
        return np.linalg.matrix_power(matrix, int(exponent))
    from scipy.linalg import schur

    triangle, vectors = schur(matrix, output="complex")
    angles = np.angle(np.diagonal(triangle))
    angles[angles < 1e-9 - PI] += 2 * PI  # rounding on the branch cut
    return (vectors * np.exp(1j * exponent * angles)) @ vectors.conj().T


def controlled(matrix: np.ndarray, *, on: int = 1) -> np.ndarray:
    """With one more qubit, the most significant; the matrix acts where it is `on`."""
    unit = np.eye(len(matrix))
    blocks = (matrix, unit) if on == 0 else (unit, matrix)
    zero = np.zeros_like(matrix)
    return np.block([[blocks[0], zero], [zero, blocks[1]]])


X = phase(-PI / 2) * u(PI, 0, PI)
Z = np.diag([1, phase(PI)])
# Name -> (number of angles, matrix): the definitions of stdgates.inc.
ONE_QUBIT = {
    "U": (3, u),
    "x": (0, lambda: X),
    "y": (0, lambda: phase(-PI / 2) * u(PI, PI / 2, PI / 2)),
    "z": (0, lambda: Z),
    "h": (0, lambda: phase(-PI / 4) * u(PI / 2, 0, PI)),
    "s": (0, lambda: power(Z, 0.5)),
    "sx": (0, lambda: power(X, 0.5)),
    "p": (1, lambda a: np.diag([1, phase(a)])),
    "rx": (1, lambda a: phase(-a / 2) * u(a, -PI / 2, PI / 2)),
    "ry": (1, lambda a: phase(-a / 2) * u(a, 0, 0)),
    "rz": (1, lambda a: phase(-a / 2) * u(0, 0, a)),
    "u1": (1, lambda a: u(0, 0, a)),
    "u2": (2, lambda a, b: phase(-(a + b + PI / 2) / 2) * u(PI / 2, a, b)),
    "u3": (3, lambda a, b, c: phase(-(a + b + c) / 2) * u(a, b, c)),
}


def random_gate(random: Random, number: int) -> tuple[str, str, np.ndarray]:
    """Definitions, an application without its operand, and its matrix on one qubit."""
    definitions, body, matrix = "", [], np.eye(2)
    for _ in range(random.randint(1, 3)):
        if number and random.random() < 0.3:
            inner, call, found = random_gate(random, number - 1)
            definitions += inner
        else:
            call, found = random_standard(random)
        if random.random() < 0.3:
            angle = round(random.uniform(-4, 4), 3)
            body.append(f"gphase({angle});")
            matrix = phase(angle) * matrix
        call, found = modified(random, call, found)
        body.append(f"{call} a;")
        matrix = found @ matrix
    name = f"g{number}_{random.randrange(10**9)}"
    return f"{definitions}gate {name} a {{ {' '.join(body)} }}\n", name, matrix


def random_standard(random: Random) -> tuple[str, np.ndarray]:
    name = random.choice(sorted(ONE_QUBIT))
    count, make = ONE_QUBIT[name]
    angles = [round(random.uniform(-9, 9), 3) for _ in range(count)]
    return f"{name}({', '.join(map(str, angles))})" if count else name, make(*angles)


WHOLE = ("", "", "inv @ ", "pow(2) @ ", "pow(-3) @ ")


def modified(
    random: Random, call: str, matrix: np.ndarray, kinds: tuple[str, ...] = (*WHOLE, "pow(0.3) @ ")
) -> tuple[str, np.ndarray]:
    kind = random.choice(kinds)
    if kind == "inv @ ":
        matrix = matrix.conj().T
    elif kind:
        matrix = power(matrix, float(kind[4:-4]))
    return kind + call, matrix


@settings(max_examples=150)
@given(st.integers(0, 2**60))
def test_a_modified_gate_has_the_matrix_of_the_specification(seed):
    random = Random(seed)
    definitions, call, matrix = random_gate(random, 2)
    controls = random.randint(1, 3)
    for number in range(controls):
        on = random.randint(0, 1)
        call, matrix = ("ctrl @ " if on else "negctrl @ ") + call, controlled(matrix, on=on)
        if number == 1:  # four modifiers are the limit
            call, matrix = modified(random, call, matrix, WHOLE)
    operands = ", ".join(f"q[{k}]" for k in range(controls + 1))
    circuit = read_qasm(f"{HEAD}{definitions}{call} {operands};{TAIL}")
    # The first operand is the most significant one in `controlled`, qubit 0 the least in Qiskit.
    order = list(reversed(range(controls + 1)))
    expected = Operator(np.eye(2**QUBITS)).compose(Operator(matrix), qargs=order).data
    found = Operator(to_qiskit(circuit)).data
    overlap = np.vdot(found, expected)
    assert abs(overlap) == pytest.approx(2**QUBITS, abs=1e-8)


def distribution(body: str) -> np.ndarray:
    return probabilities(encode(read_qasm(HEAD + body + TAIL)))


MYX = "gate myx a { U(pi, 0, pi) a; gphase(-pi/2); }\n"


@pytest.mark.parametrize(
    "body",
    [
        MYX + "h q[0]; ctrl @ myx q[0], q[1]; ctrl @ x q[0], q[1]; h q[0];",
        MYX + "gate cmyx a, b { ctrl @ myx a, b; }h q[0]; cmyx q[0], q[1]; cx q[0], q[1]; h q[0];",
        MYX
        + "x q[0]; h q[2]; ctrl(2) @ myx q[2], q[0], q[1]; ccx q[2], q[0], q[1]; h q[2]; x q[0];",
        MYX + "h q[0]; negctrl @ myx q[0], q[1]; negctrl @ x q[0], q[1]; h q[0];",
        MYX + "h q[0]; ctrl @ pow(2) @ myx q[0], q[1]; h q[0];",
        MYX + "h q[0]; ctrl @ pow(0.5) @ myx q[0], q[1]; inv @ ctrl @ sx q[0], q[1]; h q[0];",
        "h q[0]; ctrl @ U(pi, 0, pi) q[0], q[1]; inv @ s q[0]; cx q[0], q[1]; h q[0];",
        "h q[0]; ctrl @ U(pi/2, 0, pi) q[0], q[1]; p(-pi/4) q[0]; ch q[0], q[1]; h q[0];",
        "h q[0]; ctrl @ u3(0.3, 0.4, 0.5) q[0], q[1]; crz(-0.4) q[0], q[1];"
        "cry(-0.3) q[0], q[1]; crz(-0.5) q[0], q[1]; h q[0];",
        "h q[0]; ctrl @ u2(0.4, 0.5) q[0], q[1]; crz(-0.4) q[0], q[1];"
        "cry(-pi/2) q[0], q[1]; crz(-0.5) q[0], q[1]; h q[0];",
        "h q[0]; ctrl @ gphase(pi) q[0]; z q[0]; h q[0];",
        "gate half a { pow(0.5) @ p(3*pi/2) a; } h q[0]; half q[0]; p(pi/4) q[0]; h q[0];",
        "h q[0]; pow(0.5) @ rz(3*pi) q[0]; rz(pi/2) q[0]; h q[0];",
        "h q[0]; ctrl @ pow(0.5) @ rx(2*pi) q[0], q[1]; sdg q[0]; h q[0];",
    ],
)
def test_phases_that_take_each_other_away(body):
    """By the specification each leaves all qubits in 0."""
    assert distribution(body)[0] == pytest.approx(1.0, abs=1e-9)


def test_a_phase_that_nothing_controls_is_not_seen():
    plain = distribution("ry(0.3) q[0]; cx q[0], q[1];")
    assert np.allclose(distribution("gphase(1.2); ry(0.3) q[0]; gphase(pi); cx q[0], q[1];"), plain)
