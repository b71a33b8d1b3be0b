"""The angle solver against Qiskit, finite differences and uniform sampling."""

import itertools

import numpy as np
import pytest
from qiskit import qasm3
from qiskit.quantum_info import Statevector

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.ansatz.recognition import recognise
from quasar.datasets.candidates import Cell, make_candidate
from quasar.datasets.solve import NormalisedQaoa, solve_problem, tune
from quasar.errors import ProblemError
from quasar.problems import build_instance, get_problem, problem_names
from quasar.problems.base import ProblemInstance
from quasar.problems.hamiltonian import IsingHamiltonian

PROBLEMS = [
    make_candidate(Cell(primitive, size), seed=11, index=size)
    for primitive in problem_names()
    for size in get_problem(primitive).possible_qubits(6)
    if size in (3, 5, 6) or primitive == "hamiltonian_path"
]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: f"{p.primitive}-{p.num_qubits}")
@pytest.mark.parametrize("layers", [1, 2])
def test_quality_is_that_of_the_emitted_text(problem, layers):
    solved = solve_problem(problem, layers=layers, decimals=2)
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
            solve_problem(problem, layers=p, decimals=4).quality.approximation_ratio
            for p in (1, 2, 3)
        ]
        assert ratios == sorted(ratios)
        assert ratios[2] > ratios[0] + 0.02


def test_angles_do_not_depend_on_the_scale_of_the_hamiltonian():
    problem = PROBLEMS[1]
    hamiltonian = problem.hamiltonian
    scaled = IsingHamiltonian(
        hamiltonian.num_qubits, tuple((10 * c, wires) for c, wires in hamiltonian.terms)
    )
    other = ProblemInstance("scaled", {}, {}, problem.num_qubits, scaled)
    first = solve_problem(problem, layers=1, decimals=6)
    second = solve_problem(other, layers=1, decimals=6)
    assert second.gammas[0] == pytest.approx(first.gammas[0] / 10, abs=1e-5)
    assert second.betas[0] == pytest.approx(first.betas[0], abs=1e-5)


@pytest.mark.parametrize("decimals", [2, 4])
def test_solved_circuits_are_recognised_as_qaoa_of_their_problem(decimals):
    for problem, layers in itertools.product(PROBLEMS, (1, 2)):
        circuit = solve_problem(problem, layers=layers, decimals=decimals).circuit
        found = recognise(circuit.to_qasm(decimals=decimals), problem.hamiltonian)
        assert (found.family, found.layers) == ("qaoa", layers)
        angles = found.parameters[:layers], found.parameters[layers:]
        again = qaoa_circuit(problem.hamiltonian, *angles, decimals=decimals, canonical=True)
        assert again == circuit


def test_flat_spectrum_is_refused():
    flat = build_instance("other", {}, hamiltonian_text="0.0 * Z(0) + 0.0 * Z(1)")
    with pytest.raises(ProblemError, match="same energy"):
        solve_problem(flat, layers=1, decimals=2)
