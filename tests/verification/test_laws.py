"""Laws of the hierarchical reward on generated problems and circuits of several families."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.qasm import read_qasm
from quasar.config import RewardConfig, VerificationConfig, load_config, with_overrides
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.solver import solve
from quasar.verification.reward import ABLATIONS, GAINS, score
from quasar.verification.verifier import Verifier

VERIFIER = Verifier(VerificationConfig())
REWARD = RewardConfig()
EVERY_PART = RewardConfig(weights={**dict.fromkeys(GAINS, 1.0), "two_qubit_cost": 0.5})
WITHOUT_WARM_START = with_overrides(load_config("published"), ABLATIONS["without-Opt"]).reward
FAMILIES = ("qaoa", "ma_qaoa", "sim_2", "sim_5", "sim_11", "adaptive")
PRIMITIVES = ("vertex_cover", "hypermaxcut", "min_cut", "kclique", "matching", "edge_cover")
PROBLEMS = [
    make_candidate(Cell(primitive, size), seed=5, index=size)
    for primitive in PRIMITIVES
    for size in (3, 4, 5)
    if primitive != "kclique" or size > 3
]


@pytest.fixture(scope="module", params=FAMILIES)
def references(request):
    """(problem, tuned circuit with rounded angles) of one family."""
    solutions = [(p, solve(p, ansatz=request.param, decimals=4)) for p in PROBLEMS]
    return [(problem, read_qasm(solution.circuit.to_qasm())) for problem, solution in solutions]


def worsened(problem, reference: Circuit):
    """Reports on copies with other angles that are worse in energy and in P(optimum)."""
    rng = np.random.default_rng(len(reference.gates))
    best = VERIFIER.verify(problem, reference.to_qasm())
    for spread in (0.02, 0.1, 0.4, 2.0):
        for _ in range(4):
            angles = reference.parameters + rng.normal(0.0, spread, len(reference.parameters))
            report = VERIFIER.verify(problem, reference.with_parameters(angles).to_qasm())
            if (
                report.expectation.energy >= best.expectation.energy
                and report.distribution.optimum_probability <= best.distribution.optimum_probability
            ):
                yield best, report


def test_a_reference_never_scores_below_a_copy_with_worse_angles(references):
    """Strictly without the warm start; with it, up to what a lucky descent is worth.

    A tuned symmetric circuit may sit on a saddle of the free angles that a worse copy slips from.
    """
    pairs = [pair for problem, circuit in references for pair in worsened(problem, circuit)]
    assert len(pairs) > 150
    for best, worse in pairs:
        assert score(best, WITHOUT_WARM_START).value >= score(worse, WITHOUT_WARM_START).value
        assert score(best, REWARD).value >= score(worse, REWARD).value - 0.02
    lower = [score(b, REWARD).value < score(w, REWARD).value for b, w in pairs]
    assert np.mean(lower) < 0.01


def test_an_idle_angle_never_raises_the_reward(references):
    """An angle of a gate that the measurement cannot see, before, behind or between the others."""
    for problem, reference in references:
        plain = score(VERIFIER.verify(problem, reference.to_qasm()), EVERY_PART)
        n = problem.num_qubits
        for gates in (
            (*reference.gates, Gate("rz", (0,), (1.3,))),
            (*reference.gates, *(Gate("p", (q,), (0.4 * q,)) for q in range(n))),
            (Gate("rz", (n - 1,), (0.7,)), *reference.gates),
        ):
            idle = score(VERIFIER.verify(problem, Circuit(n, gates).to_qasm()), EVERY_PART)
            assert idle.parts == pytest.approx(plain.parts, abs=1e-7)
            assert idle.value <= plain.value + 1e-7


def uniform(n: int) -> Circuit:
    return Circuit(n, tuple(Gate("h", (q,)) for q in range(n)))


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: f"{p.primitive}-{p.num_qubits}")
def test_uniform_superposition_earns_nothing_in_any_part(problem):
    n = problem.num_qubits
    for circuit in (
        uniform(n),
        Circuit(n, (*uniform(n).gates, Gate("rz", (0,), (0.3,)))),
        Circuit(n, (*uniform(n).gates, Gate("rx", (0,), (0.3,)))),
    ):
        scored = score(VERIFIER.verify(problem, circuit.to_qasm()), EVERY_PART)
        gained = {name: scored.parts[name] for name in GAINS}
        assert gained == pytest.approx(dict.fromkeys(GAINS, 0.0), abs=1e-12)
        assert scored.parts["two_qubit_cost"] == 0.0


def test_a_circuit_without_parameters_is_graded():
    problem = PROBLEMS[0]
    best = int(problem.spectrum.optimal[0])
    flips = tuple(Gate("x", (q,)) for q in range(problem.num_qubits) if best >> q & 1)
    report = VERIFIER.verify(problem, Circuit(problem.num_qubits, flips).to_qasm())
    assert report.skipped["optimisation"] == "the circuit has no parameters"
    assert score(report, REWARD).value == pytest.approx(0.8)


def test_two_qubit_gates_cost_by_their_number_whatever_they_are_called():
    problem = PROBLEMS[1]
    n = problem.num_qubits
    reports = [
        VERIFIER.verify(problem, Circuit(n, (*uniform(n).gates, *extra)).to_qasm())
        for extra in (
            (),
            (Gate("cx", (0, 1)),),
            (Gate("cx", (0, 1)),) * 6,
            (Gate("ccx", (0, 1, 2)),),
            (Gate("cx", (0, 1)),) * 300,
        )
    ]
    costs = [report.cost.relative for report in reports]
    assert costs[0] == 0.0
    assert costs[0] < costs[1] < costs[2] == costs[3] < costs[4] < 1.0
    layer = solve(problem, ansatz="qaoa", decimals=4).circuit
    assert VERIFIER.verify(problem, layer.to_qasm()).cost.relative == 0.5


angles = st.floats(-4, 4).map(lambda a: round(a, 3))


@st.composite
def any_circuit(draw):
    pool = [("h", 1, 0), ("x", 1, 0), ("rx", 1, 1), ("ry", 1, 1), ("cx", 2, 0), ("crz", 2, 1)]
    problem = draw(st.sampled_from(PROBLEMS))
    gates = []
    for name, size, count in draw(st.lists(st.sampled_from(pool), max_size=12)):
        qubits = tuple(draw(st.permutations(range(problem.num_qubits)))[:size])
        gates.append(Gate(name, qubits, tuple(draw(angles) for _ in range(count))))
    return problem, Circuit(problem.num_qubits, tuple(gates))


@settings(max_examples=60)
@given(any_circuit())
def test_every_part_of_any_circuit_is_in_range_and_adds_up(drawn):
    problem, circuit = drawn
    scored = score(VERIFIER.verify(problem, circuit.to_qasm()), EVERY_PART)
    assert all(0.0 <= value <= 1.0 for value in scored.parts.values())
    assert scored.value == sum(scored.weighted.values())
