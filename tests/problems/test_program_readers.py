"""Operators and programs with constraints: their problem has their best answers."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import SparsePauliOp

from quasar.errors import InputError, ProblemError
from quasar.problems.readers.programs import ConstrainedProgram, Constraint, program_reading
from quasar.problems.readers.sources import state, state_file, state_object
from tests.problems.readings import answers, build, read


def test_a_pauli_operator_is_the_hamiltonian():
    operator = SparsePauliOp(["ZIZ", "IZZ", "ZII", "ZIZ", "III"], [0.5, -1.25, 2, 0.25, 7])
    instance = build(state_object(operator))
    diagonal = operator.to_matrix().diagonal().real
    assert instance.hamiltonian.energies + 7 == pytest.approx(diagonal)


@pytest.mark.parametrize(
    ("labels", "coefficients", "part"),
    [
        (["XZ"], [1], "the term XZ is not diagonal"),
        (["ZZZ"], [1], "has 3 factors"),
        (["ZZ"], [1j], "is complex"),
        (["II"], [1], "all weights are 0"),
    ],
)
def test_other_operators_are_refused(labels, coefficients, part):
    with pytest.raises(ProblemError) as caught:
        build(state_object(SparsePauliOp(labels, coefficients)))
    assert part in str(caught.value)


def best_of(program):
    """All best assignments of the program's variables, tried one by one; None if none is left."""
    found, best = set(), None
    ranges = [range(low, high + 1) for low, high in program.bounds.values()]
    for x in product(*ranges):
        at = dict(zip(program.bounds, x, strict=True))
        sums = [
            (sum(c * at[v] for v, c in one.linear.items()), one.sense, one.bound)
            for one in program.constraints
        ]
        if not all(
            {"<=": s <= b + 1e-9, ">=": s >= b - 1e-9, "==": abs(s - b) < 1e-9}[sense]
            for s, sense, b in sums
        ):
            continue
        value = sum(c * at[v] for v, c in program.linear.items())
        value += sum(c * at[u] * at[v] for (u, v), c in program.quadratic.items())
        value *= -1 if program.maximise else 1
        if best is None or value < best - 1e-9:
            found, best = {x}, value
        elif abs(value - best) <= 1e-9:
            found.add(x)
    return found if best is not None else None


def values_of(program, reading):
    """The same of the QUBO's ground states, from its bits by name."""
    instance = build(state(reading, None))
    units = {name: [] for name in program.bounds}
    for name, (low, high) in program.bounds.items():
        if (low, high) == (0, 1):
            units[name] = [(1, name)]
            continue
        (told,) = [note for note in reading.notes if note.startswith(f"{name} = ")]
        for part in told.split(" + ")[1:]:
            unit, _, bit = part.partition("·")
            units[name].append((int(unit), f"{name} {bit}"))
    return {
        tuple(
            (low if (low, high) != (0, 1) else 0)
            + sum(u for u, bit in units[name] if bit in chosen)
            for name, (low, high) in program.bounds.items()
        )
        for chosen in answers(instance)
    }


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_qubo_of_a_program_has_its_best_answers(data):
    names = ["a", "b", "c"]
    whole = st.integers(-3, 3)
    program = ConstrainedProgram(maximise=data.draw(st.booleans()))
    program.bounds = {
        name: data.draw(st.sampled_from([(0, 1), (0, 1), (0, 3), (-1, 1)])) for name in names
    }
    program.linear = {name: float(data.draw(whole)) for name in names}
    program.quadratic = {(u, v): float(data.draw(whole)) for u in names for v in names if u <= v}
    program.constant = 2.5
    for k in range(data.draw(st.integers(0, 2))):
        scale = data.draw(st.sampled_from([1, 0.5]))
        linear = {name: scale * data.draw(st.integers(-2, 2)) for name in names}
        sense = data.draw(st.sampled_from(["<=", ">=", "=="]))
        program.constraints.append(Constraint(f"c{k}", linear, sense, data.draw(whole)))
    expected = best_of(program)
    refused = None
    try:
        reading = program_reading(program, "program")
    except ProblemError as error:
        refused = str(error)
    if refused is not None:
        assert refused.endswith("nothing satisfies it")
        assert expected is None
        return
    numbers = [e["weight"] for part in ("nodes", "edges") for e in reading.graph[part]]
    if any(numbers) and len(reading.graph["nodes"]) <= 14 and expected is not None:
        assert values_of(program, reading) == expected


def test_lp_files_and_integers(tmp_path):
    pytest.importorskip("dimod")
    text = """Maximize
 obj: 3 x + 2 y + z
Subject To
 weight: 2 x + y + z <= 3
 pair: x + y <= 1
Bounds
 0 <= z <= 2
Binary
 x y
General
 z
End
"""
    stated = read(tmp_path, text, name="a.lp")
    assert stated.notes[0].startswith("maximised")
    assert any("bits of slack" in note for note in stated.notes)
    best = answers(build(stated))
    assert {chosen & {"x", "y"} for chosen in best} == {frozenset("x"), frozenset("y")}
    assert stated.primitive == "qubo"
    with pytest.raises(InputError, match="no LP file"):
        read(tmp_path, "maximize what", name="b.lp")


def test_programs_of_qiskit_and_dimod():
    optimization = pytest.importorskip("qiskit_optimization")
    dimod = pytest.importorskip("dimod")
    program = optimization.QuadraticProgram()
    program.binary_var("x")
    program.integer_var(-1, 2, "n")
    program.minimize(constant=3, linear={"x": -2, "n": 1}, quadratic={("n", "n"): 1, ("x", "n"): 1})
    program.linear_constraint({"x": 1, "n": 1}, ">=", 0, "c")
    model = dimod.ConstrainedQuadraticModel()
    x, n = dimod.Binary("x"), dimod.Integer("n", lower_bound=-1, upper_bound=2)
    model.set_objective(-2 * x + n + n * n + x * n + 3)
    model.add_constraint(x + n >= 0, label="c")
    found = [answers(build(state_object(given))) for given in (program, model)]
    assert found[0] == found[1]
    assert all("x" in chosen for chosen in found[0])  # x = 1, n = -1: -2 - 1 + 1 - 1
    program.continuous_var(name="r")
    with pytest.raises(ProblemError, match="'r' is continuous"):
        state_object(program)
    model.add_constraint(x * n <= 1, label="q")
    with pytest.raises(ProblemError, match="'q' is quadratic"):
        state_object(model)


def test_files_of_dimod(tmp_path):
    dimod = pytest.importorskip("dimod")
    spins = dimod.BinaryQuadraticModel({("a", 1): 0.5}, {(("a", 1), "b"): -1.5}, 2, "SPIN")
    stated = state_object(spins)
    assert (stated.primitive, build(stated).variables) == ("ising", ("('a', 1)", "b"))
    model = dimod.ConstrainedQuadraticModel()
    s, x = dimod.Spin("s"), dimod.Binary("x")
    model.set_objective(3 * s + x - 2 * s * x)
    model.add_constraint(s + 2 * x == 1, label="c")  # s = -1, x = 1 is worth 0; s = 1, x = 0 is 3
    with model.to_file() as file:
        (tmp_path / "m.cqm").write_bytes(file.read())
    stated = state_file(tmp_path / "m.cqm")
    assert answers(build(stated)) == {frozenset("x")}
    with pytest.raises(InputError, match="no CQM file"):
        read(tmp_path, b"DIMODCQM junk", name="b.cqm")
