"""The solver against Qiskit, finite differences, uniform sampling and exhaustive minima."""

import itertools

import numpy as np
import pytest
from qiskit import qasm3
from qiskit.quantum_info import Statevector

from quasar.circuits.ansatz import ansatz_names, get_ansatz
from quasar.circuits.ansatz.adaptive import Adaptive, operator_pool
from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.ansatz.recognition import recognise
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.solver import measure, solve
from quasar.datasets.solver.descent import Landscape
from quasar.datasets.solver.qaoa import CLEAR_LEAD, NormalisedQaoa, tune
from quasar.errors import InputError, ProblemError
from quasar.problems import build_instance, get_problem, problem_names
from quasar.problems.base import ProblemInstance
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation.statevector.exact import energy_and_gradient, rotation_gains

PROBLEMS = [
    make_candidate(Cell(primitive, size), seed=11, index=size)
    for primitive in problem_names()
    for size in get_problem(primitive).possible_qubits(6)
    if size in (3, 5, 6) or primitive == "hamiltonian_path"
]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: f"{p.primitive}-{p.num_qubits}")
@pytest.mark.parametrize("layers", [1, 2])
def test_quality_is_that_of_the_emitted_text(problem, layers):
    solved = solve(problem, layers=layers, decimals=2)
    program = qasm3.loads(solved.circuit.to_qasm(decimals=2))
    program.remove_final_measurements()
    probabilities = Statevector(program).probabilities()
    energy = float(probabilities @ problem.hamiltonian.energies)
    optimum = float(probabilities[problem.spectrum.optimal].sum())
    assert solved.quality.energy == pytest.approx(energy, abs=1e-9)
    assert solved.quality.optimum_probability == pytest.approx(optimum, abs=1e-9)
    assert solved.quality.approximation_ratio > solved.quality.uniform_approximation_ratio + 0.05


@pytest.mark.parametrize("layers", [1, 3])
def test_gradient_agrees_with_finite_differences(layers):
    qaoa = NormalisedQaoa(PROBLEMS[4].spectrum.energies)
    parameters = np.random.default_rng(3).normal(size=2 * layers)
    _, gradient = qaoa.value_and_gradient(parameters)
    for i, step in enumerate(np.eye(2 * layers) * 1e-6):
        above, below = (qaoa.value_and_gradient(parameters + s)[0] for s in (step, -step))
        assert gradient[i] == pytest.approx((above - below) / 2e-6, abs=1e-6)


def test_one_layer_is_tuned_to_the_global_optimum():
    """Against a fine grid over every angle: at most the margin that keeps the usual basin."""
    for problem in PROBLEMS:
        qaoa = NormalisedQaoa(problem.spectrum.energies)
        grid = qaoa.landscape(np.linspace(0, np.pi, 61), np.linspace(-np.pi / 2, np.pi / 2, 61))
        value, gradient = qaoa.value_and_gradient(tune(qaoa, layers=1))
        assert value <= grid.min() + 0.03 * np.ptp(qaoa.diagonal)
        assert np.abs(gradient).max() < 1e-3


def test_deeper_circuits_are_not_worse():
    for problem in PROBLEMS[:4]:
        ratios = [
            solve(problem, layers=p, decimals=4).quality.approximation_ratio for p in (1, 2, 3)
        ]
        assert ratios == pytest.approx(sorted(ratios), abs=1e-8)  # the second reaches 1
        assert ratios[2] > ratios[0] + 0.02


def test_the_readout_teacher_draws_angles_back_until_an_optimum_leads():
    leads = []
    for problem in PROBLEMS:
        for layers in (1, 2):
            pair = [
                solve(problem, layers=layers, decimals=6, teacher=teacher)
                for teacher in ("solver", "readout")
            ]
            tuned, drawn = (np.array(one.parameters) for one in pair)
            factor = drawn[-1] / tuned[-1]
            assert 0.2 - 1e-4 <= factor <= 1 + 1e-6
            np.testing.assert_allclose(drawn, factor * tuned, atol=2e-5)
            optimal = np.isin(np.arange(problem.spectrum.energies.size), problem.spectrum.optimal)
            found = []
            for one in pair:
                read = qasm3.loads(one.circuit.to_qasm(decimals=6))
                read.remove_final_measurements()
                probabilities = Statevector(read).probabilities()
                found.append(probabilities[optimal].max() / probabilities[~optimal].max())
            assert found[1] >= found[0] - 1e-3
            if found[0] >= CLEAR_LEAD:
                assert factor == pytest.approx(1.0, abs=1e-4)  # nothing to mend
            leads.append([lead > 1 for lead in found])
    before, after = np.mean(leads, axis=0)
    assert after > 0.95 > before


def test_angles_do_not_depend_on_the_scale_of_the_hamiltonian():
    problem = PROBLEMS[1]
    hamiltonian = problem.hamiltonian
    scaled = IsingHamiltonian(
        hamiltonian.num_qubits, tuple((10 * c, wires) for c, wires in hamiltonian.terms)
    )
    other = ProblemInstance("scaled", {}, {}, problem.num_qubits, scaled)
    first = solve(problem, layers=1, decimals=6)
    second = solve(other, layers=1, decimals=6)
    assert second.parameters[0] == pytest.approx(first.parameters[0] / 10, abs=1e-5)
    assert second.parameters[1] == pytest.approx(first.parameters[1], abs=1e-5)


@pytest.mark.parametrize("decimals", [2, 4])
def test_solved_circuits_are_recognised_as_qaoa_of_their_problem(decimals):
    for problem, layers in itertools.product(PROBLEMS, (1, 2)):
        circuit = solve(problem, layers=layers, decimals=decimals).circuit
        found = recognise(circuit.to_qasm(decimals=decimals), problem.hamiltonian)
        assert (found.family, found.layers) == ("qaoa", layers)
        angles = found.parameters[:layers], found.parameters[layers:]
        again = qaoa_circuit(problem.hamiltonian, *angles, decimals=decimals, canonical=True)
        assert again == circuit


def test_flat_spectrum_is_refused():
    flat = build_instance("other", {}, hamiltonian_text="0.0 * Z(0) + 0.0 * Z(1)")
    with pytest.raises(ProblemError, match="same energy"):
        solve(flat, layers=1, decimals=2)


SMALL = [p for p in PROBLEMS if 3 <= p.num_qubits <= 5][::4]
TEMPLATES = [n for n in ansatz_names() if n.startswith("sim_")]


@pytest.mark.parametrize("name", ["ma_qaoa", *TEMPLATES])
@pytest.mark.parametrize("layers", [1, 2])
def test_parameter_gradient_agrees_with_finite_differences(name, layers):
    problem = SMALL[0]
    circuit = get_ansatz(name).circuit(problem.hamiltonian, layers=layers)
    landscape = Landscape(circuit, problem.spectrum.energies)
    point = np.random.default_rng(5).normal(size=circuit.num_parameters)
    value, gradient = landscape.value_and_gradient(point)
    assert value == pytest.approx(landscape.value(point), abs=1e-12)
    for i, step in enumerate(np.eye(point.size) * 1e-6):
        slope = (landscape.value(point + step) - landscape.value(point - step)) / 2e-6
        assert gradient[i] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("problem", SMALL, ids=lambda p: f"{p.primitive}-{p.num_qubits}")
def test_templates_and_adaptive_circuits_find_an_optimum(problem):
    """Every family that reaches any basis state must end in one of lowest energy."""
    for name, layers in (("sim_1", 1), ("sim_2", 1), ("sim_14", 1), ("sim_6", 2), ("adaptive", 1)):
        solution = solve(problem, ansatz=name, layers=layers, decimals=4)
        quality = solution.quality
        assert quality.energy == pytest.approx(problem.spectrum.minimum, abs=0.01), name
        assert quality.optimum_probability > 0.99


def test_emitted_circuits_are_those_of_their_parameters():
    problem = SMALL[1]
    for name in ("ma_qaoa", "sim_5", "adaptive"):
        solution = solve(problem, ansatz=name, decimals=3)
        circuit = solution.ansatz.build(problem.hamiltonian, solution.parameters, decimals=3)
        assert circuit == solution.circuit
        found = recognise(solution.circuit.to_qasm(decimals=3), problem.hamiltonian)
        assert found.ansatz.name == name


def test_multi_angle_qaoa_is_not_worse_than_qaoa():
    for problem in SMALL:
        for layers in (1, 2):
            shared, own = (
                solve(problem, ansatz=name, layers=layers, decimals=6).quality.energy
                for name in ("qaoa", "ma_qaoa")
            )
            assert own <= shared + 1e-4


def test_same_seed_gives_the_same_circuit():
    for name in ("ma_qaoa", "sim_8", "adaptive"):
        first, second = (solve(SMALL[2], ansatz=name, decimals=4, seed=7) for _ in range(2))
        assert (first.circuit, first.parameters) == (second.circuit, second.parameters)


def test_angles_of_templates_that_do_not_matter_are_zero():
    """The last rz of a qubit changes no probability."""
    solution = solve(SMALL[0], ansatz="sim_1", decimals=4)
    assert {gate.params for gate in solution.circuit.gates if gate.name == "rz"} == {(0.0,)}


def test_best_next_rotation_is_that_of_a_scan_over_the_whole_pool():
    problem = SMALL[2]
    energies = problem.spectrum.energies
    rng = np.random.default_rng(1)
    pool = operator_pool(problem.num_qubits)
    start = Adaptive((pool[0], pool[-1]))
    circuit = start.build(problem.hamiltonian, rng.normal(size=2), decimals=6)
    before, _ = energy_and_gradient(circuit, energies)
    gains, angles = rotation_gains(circuit, energies)
    scan = np.linspace(-np.pi, np.pi, 721)
    for name, qubits in pool[1:-1]:
        grown = start.with_operators([(name, qubits)]).circuit(problem.hamiltonian)
        values = [
            energy_and_gradient(grown.structure, energies, np.array([*circuit.parameters, angle]))[
                0
            ]
            for angle in scan
        ]
        place = qubits[-1], qubits[0]
        assert gains[place] == pytest.approx(before - min(values), abs=1e-3)
        if gains[place] > 1e-3:
            at_angle = energy_and_gradient(
                grown.structure, energies, np.array([*circuit.parameters, angles[place]])
            )[0]
            assert at_angle == pytest.approx(before - gains[place], abs=1e-9)


def test_quality_of_a_circuit_that_is_not_ours():
    problem = SMALL[0]
    uniform = qaoa_circuit(problem.hamiltonian, [0.0], [0.0])
    found = measure(problem, uniform)
    assert found.energy == pytest.approx(problem.spectrum.mean)
    assert found.approximation_ratio == pytest.approx(found.uniform_approximation_ratio)


@pytest.mark.parametrize(
    ("ansatz", "layers", "words"),
    [("sim_20", 1, "did you mean"), ("adaptive", 2, "has one layer"), ("sim_16", 0, "1 layer")],
)
def test_families_and_depths_that_there_are_not_are_refused(ansatz, layers, words):
    with pytest.raises(InputError, match=words):
        solve(SMALL[0], ansatz=ansatz, layers=layers, decimals=2)
