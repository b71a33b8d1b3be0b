"""Answers that need no model: what any evaluation must be read beside.

Takes problem records; gives generation rows with the same shape as a model's, so that they go
through the same evaluation.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from quasar.circuits.ansatz import get_ansatz
from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.canonical import energy_scale
from quasar.circuits.circuit import PUBLISHED_DECIMALS, Circuit, Gate
from quasar.circuits.qasm import Limits, read_qasm
from quasar.config import VerificationConfig
from quasar.datasets.records import GenerationRow, ProblemRecord
from quasar.datasets.solver import Deadline, solve
from quasar.datasets.solver.closed_form import basis_state_adaptive, basis_state_parameters
from quasar.datasets.solver.constant_angles import constant_angles
from quasar.datasets.solver.qaoa import START
from quasar.errors import CircuitError, InputError, ProblemError
from quasar.evaluation.baseline_names import (
    BEST_TRIVIAL,
    BY_RULE,
    BY_STRENGTH,
    CONSTANT_ANGLES,
    DESCENTS_OF_8,
    GREEDY,
    GREEDY_DESCENT,
    GREEDY_OF_8,
    PLANS_OF_8,
    RANDOM_STARTS,
    REFERENCES,
    SOLVER,
    SOLVER_OF_ALL,
    TUNED,
    check_names,
)
from quasar.evaluation.summary import FORMULA, GUESSING
from quasar.problems import build_instance
from quasar.problems.assignments import (
    Bits,
    best_of,
    descend,
    greedy,
    greedy_by_strength,
    random_bits,
)
from quasar.problems.base import ProblemInstance
from quasar.problems.hamiltonian import Extremes, Spectrum
from quasar.simulation.statevector.exact import ExactSimulator
from quasar.verification.facts import ProblemFacts, extremes_of
from quasar.verification.optimiser import Bounds, optimise_random_start

_TRIES = 8
# The benchmark's "vqe" names no template: the one with the fewest gates, which knows no reference.
_TEMPLATE_OF_VQE = "sim_1"


@dataclass(frozen=True, slots=True)
class _Given:
    """What a baseline may use."""

    problem: ProblemInstance
    limits: Limits
    rng: np.random.Generator
    extremes: Extremes
    ansatz: str  # family that the prompt names
    layers: int
    bounds: Bounds  # of what is optimised
    seconds: float | None  # of the solver, processor; None: it has no answer


_Build = Callable[[_Given], str | None]


def baseline_rows(
    name: str,
    records: Sequence[ProblemRecord],
    *,
    samples: int = 1,
    seed: int = 0,
    limits: Limits | None = None,
) -> list[GenerationRow]:
    """A baseline's generations (names: `BASELINES`), problems that it cannot answer left out.

    What is drawn at random differs between samples; it is deterministic in seed and sample_index.
    Raises InputError for an unknown name.
    """
    rows = []
    for record in records:
        rng = np.random.default_rng([seed, record.sample_index])
        made = (
            build_baseline(
                name,
                record.problem,
                seed=rng,
                limits=limits,
                ansatz=record.ansatz,
                layers=record.n_layers,
            )
            for _ in range(samples)
        )
        kept = tuple(text for text in made if text is not None)
        if kept:
            rows.append(GenerationRow(record.sample_index, kept))
    return rows


def build_baseline(
    name: str,
    problem: ProblemInstance,
    *,
    seed: Sequence[int] | np.random.Generator,
    limits: Limits | None = None,
    extremes: Extremes | None = None,
    ansatz: str = "qaoa",
    layers: int = 1,
    bounds: Bounds | None = None,
    seconds: float | None = None,
) -> str | None:
    """One program of a baseline; None where it has none for this problem.

    extremes: of the problem's energies, where they are known. ansatz, layers: what the prompt asks
    for; the rows of `baseline_names.TRIVIAL` keep to it, and have no program for another family
    than theirs, or where the family does not prepare basis states (circuit 9 of Sim et al.).
    bounds: of an optimisation; by default those of a verification of the default configuration.
    seconds: of the processor, for the rows of `baseline_names.SOLVERS`, which answer nothing
    without.
    Raises InputError for an unknown name.
    """
    check_names([name])
    if extremes is None:
        extremes = extremes_of(problem)
    rng, limits = np.random.default_rng(seed), limits or Limits()
    bounds = bounds or Bounds.of(VerificationConfig(), limits)
    return BASELINES[name](_Given(problem, limits, rng, extremes, ansatz, layers, bounds, seconds))


def _hadamard(given: _Given) -> str:
    n = given.problem.num_qubits
    return Circuit(n, tuple(Gate("h", (q,)) for q in range(n))).to_qasm()


def _bitstring(given: _Given) -> str:
    """X gates that prepare the first ground state: the answer, found classically."""
    state, n = int(given.extremes.optimal[0]), given.problem.num_qubits
    return Circuit(n, tuple(Gate("x", (q,)) for q in range(n) if state >> q & 1)).to_qasm()


def _empty(given: _Given) -> str:
    return Circuit(given.problem.num_qubits, ()).to_qasm()


def _random_angles(given: _Given) -> str | None:
    """The reference's gates, each angle uniform on [0, 2π)."""
    if given.problem.reference_circuit is None:
        return None
    try:
        circuit = read_qasm(given.problem.reference_circuit, given.limits)
    except CircuitError:
        return None
    angles = given.rng.uniform(0, 2 * math.pi, len(circuit.parameters))
    return circuit.with_parameters(angles.tolist()).to_qasm()


def _random_starts(given: _Given) -> str | None:
    """The row's own family from random parameters, with the optimise tool's evaluations; at random
    angles where there is nothing to optimise. The gates are the reference's where there is one.
    """
    start = given.problem.reference_circuit or _named_form(given)
    if start is None:
        return None
    facts = ProblemFacts(
        given.problem, limits=given.limits, probabilities=ExactSimulator().probabilities
    )
    made = optimise_random_start(start, facts, given.bounds, given.rng)
    return _random_angles(given) if made is None else made


def _named_form(given: _Given) -> str | None:
    """The family that the prompt names, at any parameters; None of the adaptive one, whose gates
    are chosen one by one.
    """
    try:
        family = get_ansatz(_TEMPLATE_OF_VQE if given.ansatz == "vqe" else given.ansatz)
        form = family.circuit(given.problem.hamiltonian, layers=given.layers)
    except InputError:  # no such family, or none of so few qubits
        return None
    return form.bind(given.rng.uniform(-1.0, 1.0, form.num_parameters)).to_qasm()


def _reference(given: _Given) -> str | None:
    return given.problem.reference_circuit


def _fixed_angles(given: _Given) -> str:
    """One layer of QAOA at angles that know no problem but the spread of its energies."""
    gamma, beta = START
    return _normalised_qaoa(given, [gamma], [beta])


def _constant_angles(given: _Given) -> str | None:
    """QAOA of the depth asked for, at the angles that every problem of that depth gets."""
    if given.ansatz != "qaoa":
        return None
    return _normalised_qaoa(given, *constant_angles(given.layers))


def _normalised_qaoa(given: _Given, gammas: Sequence[float], betas: Sequence[float]) -> str:
    """gammas: for energies with standard deviation 1."""
    hamiltonian = given.problem.hamiltonian
    scale = energy_scale(hamiltonian) or 1.0
    return qaoa_circuit(hamiltonian, [gamma / scale for gamma in gammas], betas).to_qasm()


def _tuned(given: _Given) -> str | None:
    """One layer of QAOA with this problem's best angles, where its energies are enumerated."""
    if not isinstance(given.extremes, Spectrum):
        return None
    try:
        return solve(given.problem, layers=1, decimals=PUBLISHED_DECIMALS).circuit.to_qasm()
    except ProblemError:  # all bitstrings have the same energy
        return None


def _solved(given: _Given) -> str | None:
    """By the solver, cut short; the enumeration of the energies is on its clock."""
    if given.seconds is None or not isinstance(given.extremes, Spectrum):
        return None
    _load_solver()
    seed = int(given.rng.integers(1 << 31))
    problem = replace(given.problem)  # without what others have enumerated
    try:
        return solve(
            problem,
            ansatz=_TEMPLATE_OF_VQE if given.ansatz == "vqe" else given.ansatz,
            layers=1 if given.ansatz == "adaptive" else given.layers,
            decimals=PUBLISHED_DECIMALS,
            seed=seed,
            deadline=Deadline(given.seconds),
        ).circuit.to_qasm()
    except (InputError, ProblemError):  # no such family; all bitstrings have the same energy
        return None


@cache
def _load_solver() -> None:
    """What is compiled or loaded at the solver's first call, which its clock does not count."""
    edge = {"nodes": [{"id": q} for q in range(3)],
            "edges": [{"source": 0, "target": 1}, {"source": 1, "target": 2}]}  # fmt: skip
    for ansatz in ("qaoa", "ma_qaoa", "adaptive", _TEMPLATE_OF_VQE):
        solve(build_instance("max_cut", edge), ansatz=ansatz, layers=1, decimals=2)


def _assigned(given: _Given, assign: Callable[[_Given], Bits]) -> str | None:
    """The family's circuit that prepares an assignment; None where it has none in closed form."""
    hamiltonian, layers = given.problem.hamiltonian, given.layers
    if given.ansatz == "adaptive":  # grown by operators: its rows have no layers of their own
        grown, angles = basis_state_adaptive(assign(given))
        return grown.build(hamiltonian, angles).to_qasm()
    try:
        form = get_ansatz(_TEMPLATE_OF_VQE if given.ansatz == "vqe" else given.ansatz)
        angles = basis_state_parameters(form, assign(given), layers=layers)
    except InputError:  # no such family, or none of so few qubits
        return None
    return None if angles is None else form.build(hamiltonian, angles, layers=layers).to_qasm()


def _greedy(given: _Given) -> Bits:
    return greedy(given.problem.hamiltonian, given.rng)


def _best_greedy(given: _Given) -> Bits:
    """Eight times, the qubits relabelled at random after the first."""
    hamiltonian, rng = given.problem.hamiltonian, given.rng

    def draw(which: int) -> Bits:
        order = rng.permutation(hamiltonian.num_qubits).tolist() if which else None
        return greedy(hamiltonian, rng, order=order)

    return best_of(hamiltonian, _TRIES, draw)


def _greedy_by_strength(given: _Given) -> Bits:
    return greedy_by_strength(given.problem.hamiltonian, given.rng)


def _greedy_and_descent(given: _Given) -> Bits:
    return descend(given.problem.hamiltonian, _greedy(given))


def _best_descent(given: _Given) -> Bits:
    """From eight random starts."""
    hamiltonian, rng = given.problem.hamiltonian, given.rng
    return best_of(
        hamiltonian, _TRIES, lambda _: descend(hamiltonian, random_bits(hamiltonian, rng))
    )


def _best_plan(given: _Given) -> Bits:
    """What worked plans say that keep to their fields, in eight orders: the first by strength, the
    others drawn; each improved by single flips.
    """
    hamiltonian, rng = given.problem.hamiltonian, given.rng

    def draw(which: int) -> Bits:
        order = rng.permutation(hamiltonian.num_qubits).tolist()
        first = greedy(hamiltonian, rng, order=order)
        return descend(hamiltonian, first if which else greedy_by_strength(hamiltonian, rng))

    return best_of(hamiltonian, _TRIES, draw)


BASELINES: dict[str, _Build] = {
    GUESSING: _hadamard,
    "one optimal bitstring": _bitstring,
    "empty circuit": _empty,
    "random angles": _random_angles,
    RANDOM_STARTS: _random_starts,
    FORMULA: _fixed_angles,
    TUNED: _tuned,
    SOLVER: _solved,
    SOLVER_OF_ALL: _solved,
    CONSTANT_ANGLES: _constant_angles,
    GREEDY: partial(_assigned, assign=_greedy),
    GREEDY_OF_8: partial(_assigned, assign=_best_greedy),
    BY_STRENGTH: partial(_assigned, assign=_greedy_by_strength),
    GREEDY_DESCENT: partial(_assigned, assign=_greedy_and_descent),
    DESCENTS_OF_8: partial(_assigned, assign=_best_descent),
    PLANS_OF_8: partial(_assigned, assign=_best_plan),
    BEST_TRIVIAL: lambda given: None,  # for graph problems that is `GUESSING`
    BY_RULE: lambda given: None,  # of other tasks
    REFERENCES: _reference,
}
