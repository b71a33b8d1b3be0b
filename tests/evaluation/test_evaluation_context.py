"""Family, cost, random angles, the noise view and drawings, on circuits worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.qasm import Limits
from quasar.evaluation.context import CompiledCost, RandomAngles, device_is_here, in_family
from quasar.evaluation.drawings import MAX_DRAWN_GATES, draw_answer
from quasar.evaluation.hardware import COLUMNS, SIDES, HardwareView, summarise
from quasar.evaluation.metrics import feasible_approximation_ratio
from quasar.problems import build_instance
from quasar.simulation import get_simulator

EDGES = ((0, 1), (1, 2), (2, 3))
PATH = {
    "directed": False,
    "multigraph": False,
    "graph": {},
    "nodes": [{"id": i} for i in range(4)],
    "edges": [{"source": a, "target": b} for a, b in EDGES],
}


@pytest.fixture(scope="module")
def problem():
    return build_instance("vertex_cover", PATH, {})


def probabilities(circuit: Circuit) -> np.ndarray:
    return get_simulator("exact", circuit.num_qubits).probabilities(circuit)


def test_feasible_ratio_counts_infeasible_mass_as_nothing():
    energies = np.array([0.0, 1.0, 3.0, 100.0])
    feasible = np.array([True, True, True, False])
    uniform = np.full(4, 0.25)
    # The penalty of the infeasible state does not stretch the scale: it ends at 3.
    assert feasible_approximation_ratio(uniform, energies, feasible) == pytest.approx(
        0.25 * (1 + 2 / 3 + 0)
    )
    assert feasible_approximation_ratio(np.eye(4)[0], energies, feasible) == 1.0
    assert feasible_approximation_ratio(np.eye(4)[3], energies, feasible) == 0.0
    only = np.array([False, True, False, False])
    assert feasible_approximation_ratio(uniform, energies, only) == 0.25
    assert feasible_approximation_ratio(uniform, energies, np.zeros(4, bool)) == 0.0


@given(st.lists(st.floats(0, 1), min_size=8, max_size=8), st.integers(0, 255))
def test_feasible_ratio_is_at_most_the_feasible_probability(weights, mask):
    total = sum(weights) + 1e-9
    p = np.array(weights) / total
    feasible = np.array([bool(mask >> i & 1) for i in range(8)])
    ratio = feasible_approximation_ratio(p, np.arange(8.0), feasible)
    assert 0.0 <= ratio <= p[feasible].sum() + 1e-12


def test_the_family_is_that_of_the_problem(problem):
    other = build_instance("vertex_cover", {**PATH, "edges": PATH["edges"][:2]}, {})
    qaoa = qaoa_circuit(problem.hamiltonian, [0.3, 0.2], [0.4, 0.1])
    assert in_family(qaoa, "qaoa", problem.hamiltonian)
    assert not in_family(qaoa_circuit(other.hamiltonian, [0.3], [0.4]), "qaoa", problem.hamiltonian)
    assert not in_family(qaoa, "adaptive", problem.hamiltonian)
    assert not in_family(qaoa, "vqe", problem.hamiltonian)
    uniform = Circuit(4, tuple(Gate("h", (q,)) for q in range(4)))
    assert not in_family(uniform, "qaoa", problem.hamiltonian)
    grown = Circuit(4, (*uniform.gates, Gate("ry", (0,), (0.3,))))
    assert in_family(grown, "adaptive", problem.hamiltonian)
    layer = [Gate(name, (q,), (0.1 * q,)) for q in range(4) for name in ("rx", "rz")]
    template = Circuit(4, tuple(layer))
    assert in_family(template, "sim_1", problem.hamiltonian)
    assert in_family(template, "vqe", problem.hamiltonian)
    assert not in_family(template, "sim_2", problem.hamiltonian)
    assert in_family(template, "my own", problem.hamiltonian) is None


def test_cost_on_a_device_includes_routing():
    star = Circuit(5, tuple(Gate("cx", (0, q)) for q in range(1, 5)))
    everywhere = CompiledCost("depolarizing").columns(star)
    assert everywhere["device_two_qubit_gates"] == 4
    assert CompiledCost("none").columns(star) == {}
    if not device_is_here("fake_torino"):
        pytest.skip("needs qiskit-ibm-runtime")
    routed = CompiledCost("fake_torino").columns(star)
    assert routed["device_two_qubit_gates"] > 4
    assert routed["device_depth"] > everywhere["device_depth"]
    assert CompiledCost("fake_torino").columns(star) == routed  # a fixed seed
    assert CompiledCost("fake_manila").columns(Circuit(6, (Gate("h", (5,)),))) == {}  # 5 qubits


def test_random_angles_of_a_rotation_average_over_the_turn(problem):
    """⟨(E_max − E)⟩ of ry on each qubit at random angles is the uniform one in expectation."""
    circuit = Circuit(4, tuple(Gate("ry", (q,), (0.0,)) for q in range(4)))
    reference = probabilities(circuit)
    many = RandomAngles(2000, time_limit_s=20.0).columns(circuit, problem, reference)
    uniform = problem.spectrum.approximation_ratio(problem.spectrum.mean)
    assert many["random_energy_gap"] == pytest.approx(1 - uniform, abs=0.02)
    assert 0.0 < many["random_js_distance"] < 1.0
    few = RandomAngles(3, time_limit_s=20.0)
    assert few.columns(circuit, problem, reference) == few.columns(circuit, problem, reference)
    moved = circuit.with_parameters([0.1, 0.2, 0.3, 0.4])  # the same gates: the same draws
    assert few.columns(moved, problem, reference) == few.columns(circuit, problem, reference)
    assert few.columns(circuit, problem, None)["random_js_distance"] is None
    assert RandomAngles(0, time_limit_s=20.0).columns(circuit, problem, reference) == {}
    assert RandomAngles(9, time_limit_s=1e-9).columns(circuit, problem, reference) == {}


def test_without_angles_random_angles_are_the_circuit(problem):
    circuit = Circuit(4, (Gate("x", (0,)),))
    found = RandomAngles(5, time_limit_s=20.0).columns(circuit, problem, probabilities(circuit))
    energy = float(probabilities(circuit) @ problem.spectrum.energies)
    assert found["random_js_distance"] == 0.0
    assert found["random_energy_gap"] == pytest.approx(
        1 - problem.spectrum.approximation_ratio(energy)
    )


def test_noise_lowers_an_optimum_and_mitigation_brings_it_back(problem):
    view = HardwareView("depolarizing")
    state = int(problem.spectrum.optimal[0])
    flips = [Gate("x", (q,)) for q in range(4) if state >> q & 1]
    pairs = [Gate("cx", (0, 1)), Gate("cx", (0, 1))] * 3  # cost something, change nothing
    optimum = Circuit(4, (*flips, *pairs, Gate("rz", (0,), (0.5,))))
    found = view.measure(optimum, probabilities(optimum), problem)
    assert set(found) == set(COLUMNS)
    assert found["approximation_ratio"] == pytest.approx(1.0)
    assert found["noisy"] < found["readout_mitigated"] <= found["zero_noise"] <= 1.0
    assert found["kept"] == found["noisy"]
    assert found["duration_us"] is None  # the textbook device has no gate times
    wide = build_instance("vertex_cover", _path(12), {})
    circuit = Circuit(12, (Gate("h", (0,)),))
    assert view.measure(circuit, probabilities(circuit), wide) is None  # too many qubits


def _path(n: int) -> dict:
    nodes = [{"id": i} for i in range(n)]
    edges = [{"source": i, "target": i + 1} for i in range(n - 1)]
    return {**PATH, "nodes": nodes, "edges": edges}


def test_the_hardware_summary_takes_the_same_problems_on_both_sides():
    def columns(value: float) -> dict:
        return dict.fromkeys(COLUMNS, value) | {"duration_us": None}

    pairs = [
        {"generated": columns(0.25), "reference": columns(0.5)},
        {"generated": columns(0.75), "reference": columns(1.0)},
        {"generated": None, "reference": columns(0.0)},
        {},
    ]
    found = summarise("depolarizing", pairs)
    assert (found["num_problems"], found["num_left_out"]) == (2, 2)
    assert [found[side]["noisy"]["value"] for side in SIDES] == [0.5, 0.75]
    assert found["generated"]["noisy"]["interval_95"] == [0.25, 0.75]
    assert "duration_us" not in found["generated"]
    assert summarise("depolarizing", pairs[2:])["num_problems"] == 0


HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\n'


def test_answers_are_drawn_up_to_the_fault():
    good = draw_answer(HEADER + "h q[0];\ncx q[0], q[1];\n", Limits())
    assert "H" in good
    assert "X" in good
    broken = HEADER + "h q[0];\nfoo q[1];\ncx q[0], q[1];\n"
    assert draw_answer(broken, Limits()) is None
    drawn = draw_answer(broken, Limits(), fault_line=5)
    assert "H" in drawn
    assert "X" not in drawn
    assert "fault in line 5" in drawn
    assert draw_answer("no program", Limits()) is None
    long = draw_answer(HEADER + "h q[0];\n" * (MAX_DRAWN_GATES + 7), Limits())
    assert "7 more gates" in long
