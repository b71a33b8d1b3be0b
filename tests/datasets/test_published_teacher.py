"""The published teacher: its stopping rule, its seeds, its style, and references that it makes."""

import json

import numpy as np
import pytest
import torch

from quasar.circuits.ansatz import get_ansatz
from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.qasm import read_qasm
from quasar.cli.main import main
from quasar.config import load_config
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.generation.generate import SPLITS, generate_dataset
from quasar.datasets.hub.card import write_card
from quasar.datasets.hub.describe import describe_dataset
from quasar.datasets.io import read_problems
from quasar.datasets.solver import NotAccepted, solve
from quasar.datasets.solver.published import (
    MAX_ADDITIONS,
    adamw_chunk,
    is_accepted,
    published_pool,
    solve_published,
)
from quasar.errors import ConfigError, InputError
from quasar.evaluation.metrics import kl_bits
from quasar.problems import build_instance
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import energy_and_gradient, probabilities
from tests.golden import data

PROBLEMS = [
    make_candidate(Cell(primitive, size), seed=5, index=size)
    for primitive in ("vertex_cover", "hypermaxcut", "min_cut")
    for size in (3, 5, 6)
]
FORMS = [("qaoa", 1), ("qaoa", 3), ("sim_1", 1), ("sim_13", 2), ("sim_6", 1)]
# Local minimum where the templates start, and another state below it.
TRAP = build_instance(
    "other", {}, hamiltonian_text="-1.0 * (Z(0) @ Z(1)) + 0.1 * Z(0) + 0.1 * Z(1)"
)


def test_steps_are_those_of_torch_adamw():
    problem = PROBLEMS[1]
    form = get_ansatz("sim_6").circuit(problem.hamiltonian)

    def gradient(point):
        angles = form.angles(point)
        return form.gradient(
            energy_and_gradient(form.structure, problem.spectrum.energies, angles)[1]
        )

    start = np.random.default_rng(0).uniform(0, 1, form.num_parameters)
    point = torch.tensor(start, requires_grad=True)
    optimiser = torch.optim.AdamW([point], lr=0.01, betas=(0.9, 0.999), weight_decay=1e-4)
    for _ in range(10):
        point.grad = torch.from_numpy(gradient(point.detach().numpy()))
        optimiser.step()
    assert adamw_chunk(gradient, start) == pytest.approx(point.detach().numpy(), abs=1e-9)


@pytest.mark.parametrize(("name", "layers"), FORMS)
def test_it_stops_at_the_first_look_with_a_ground_state_on_top(name, layers):
    """Replayed gate by gate, from the same first angles."""
    looks = 0
    for problem in PROBLEMS:
        family = get_ansatz(name)
        form, spectrum = family.circuit(problem.hamiltonian, layers=layers), problem.spectrum
        encoded = encode(form.structure)

        def gradient(point, form=form, encoded=encoded, spectrum=spectrum):
            angles = form.angles(point)
            return form.gradient(energy_and_gradient(encoded, spectrum.energies, angles)[1])

        try:
            _, found, evaluations = solve_published(
                family, problem, np.random.default_rng(1), layers=layers
            )
        except NotAccepted:
            continue
        if evaluations > 500:  # not the first try
            continue
        point = 0.01 * np.random.default_rng(1).random(form.num_parameters)
        for look in range(1, evaluations // 10 + 1):
            point = adamw_chunk(gradient, point)
            on_top = probabilities(encoded, form.angles(point)).argmax()
            assert (on_top in spectrum.optimal) == (look == evaluations // 10)
        assert found == pytest.approx(point, abs=0.6e-4)
        looks += evaluations // 10
    assert looks >= 5


def test_the_first_of_several_ground_states_counts_as_well_as_the_last():
    spectrum = build_instance("other", {}, hamiltonian_text="1.0 * (Z(0) @ Z(1))").spectrum
    assert [is_accepted(np.eye(4)[state], spectrum) for state in range(4)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_what_the_rule_drops_is_refused_and_the_solver_solves_it():
    with pytest.raises(NotAccepted, match="no ground state became the most probable"):
        solve(TRAP, ansatz="sim_1", decimals=4, teacher="published")
    assert solve(TRAP, ansatz="sim_1", decimals=4).quality.optimum_probability > 0.99


@pytest.mark.parametrize(("name", "layers"), [("qaoa", 2), ("sim_5", 2), ("adaptive", 1)])
def test_the_seed_decides(name, layers):
    def made(seed):
        problem = PROBLEMS[4]
        return solve(
            problem, ansatz=name, layers=layers, decimals=4, seed=seed, teacher="published"
        )

    assert (made(3).circuit, made(3).parameters) == (made(3).circuit, made(3).parameters)
    if name == "adaptive":  # nothing in it is drawn
        assert made(3).circuit == made(4).circuit
    else:
        assert made(3).parameters != made(4).parameters


def test_circuits_have_the_published_form():
    problem = build_instance(
        "other", {}, hamiltonian_text="0.5 * (Z(0) @ Z(1)) + 0.0 * Z(0) + -1.0 * Z(1)"
    )
    solved = solve(problem, layers=2, decimals=4, teacher="published")
    gammas, betas = solved.named_parameters().values()
    assert solved.circuit == qaoa_circuit(problem.hamiltonian, gammas, betas)
    assert "rz(0) q[0];" in solved.circuit.to_qasm()  # of the coefficient 0
    assert all(round(angle, 4) == angle for angle in solved.parameters)
    assert recognise(solved.circuit, problem.hamiltonian).layers == 2


@pytest.mark.parametrize("index", [70, 192, 257, 259, 297])
def test_adaptive_references_are_made_again(index):
    problem = data.records()[index].problem
    made = solve(problem, ansatz="adaptive", decimals=4, teacher="published").circuit
    reference = read_qasm(problem.reference_circuit)
    assert [(g.name, g.qubits) for g in made.gates] == [(g.name, g.qubits) for g in reference.gates]
    assert made.parameters == pytest.approx(reference.parameters, abs=2e-4)


def test_pool_goes_by_wire_and_ends_in_cry():
    pool = published_pool(3)
    assert [(g.name, g.qubits) for g in pool[:4]] == [
        ("rx", (0,)), ("ry", (0,)), ("rz", (0,)), ("rx", (1,)),
    ]  # fmt: skip
    assert [(g.name, g.qubits) for g in pool[9:13]] == [
        ("crz", (0, 1)), ("crx", (0, 1)), ("cry", (0, 1)), ("crz", (0, 2)),
    ]  # fmt: skip
    assert len(pool) == len(set(pool)) == 27


def test_adaptive_work_is_bounded():
    """1 comparison of the pool and 10 steps a gate; this reference took all that there are."""
    problem = data.records()[14].problem
    made = solve(problem, ansatz="adaptive", decimals=4, teacher="published")
    assert made.evaluations == 11 * MAX_ADDITIONS


@pytest.mark.parametrize("index", [114, 324, 372])
def test_references_are_imitated_within_a_tenth_of_a_bit(index):
    row = next(r for r in data.rows() if r["sample_index"] == index)
    problem = data.records()[index].problem
    reference = probabilities(encode(read_qasm(problem.reference_circuit)))

    def distance(teacher):
        made = solve(
            problem, ansatz=row["ansatz"], layers=row["layers"], decimals=4, teacher=teacher
        )
        return kl_bits(probabilities(encode(made.circuit)), reference)

    assert distance("published") < 0.1 < distance("solver")


def test_a_family_that_the_benchmark_does_not_have_is_refused(tmp_path):
    with pytest.raises(InputError, match="makes no circuits of ansatz 'ma_qaoa'"):
        solve(PROBLEMS[0], ansatz="ma_qaoa", decimals=4, teacher="published")
    config = load_config("laptop", ["dataset.teacher=published", "dataset.ansatze=[ma_qaoa]"])
    with pytest.raises(ConfigError, match=r"dataset.ansatze: teacher 'published'"):
        generate_dataset(config, tmp_path / "d", progress=False)
    assert not (tmp_path / "d").exists()


def test_defaults_are_those_of_the_rule_unless_set():
    dataset = load_config("laptop", ["dataset.teacher=published"]).dataset
    assert (dataset.min_improvement, dataset.angle_decimals) == (0.0, 4)
    dataset = load_config(
        "laptop", ["dataset.teacher=published", "dataset.min_improvement=0.1"]
    ).dataset
    assert dataset.min_improvement == 0.1
    dataset = load_config("laptop").dataset
    assert (dataset.min_improvement, dataset.angle_decimals) == (0.05, 2)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    made = {}
    for teacher in ("solver", "published"):
        settings = {
            "teacher": teacher, "ansatze": ["qaoa", "hardware_efficient", "adaptive"],
            "layers": [1, 2], "num_examples": 40, "max_qubits": 4, "num_workers": 1,
        }  # fmt: skip
        config = load_config(
            "laptop", [f"dataset.{name}={json.dumps(value)}" for name, value in settings.items()]
        )
        made[teacher] = generate_dataset(config, tmp_path_factory.mktemp(teacher), progress=False)
    return made


def test_datasets_name_their_teacher_and_the_default_ones_stay_as_they_were(datasets):
    for teacher, summary in datasets.items():
        kept = json.loads((summary.directory / "summary.json").read_text())
        rows = [record for split in SPLITS for record in read_problems(summary.path(split))]
        assert {record.teacher for record in rows} == {summary.teacher} == {teacher}
        named = teacher == "published"
        assert ("teacher" in kept) == named
        assert all(("teacher" in record.extras) == named for record in rows)
    assert datasets["solver"].fingerprint != datasets["published"].fingerprint


def test_near_uniform_circuits_are_kept(datasets):
    """Most of what the rule makes would not pass the solver's least improvement."""
    rows = [r for split in SPLITS for r in read_problems(datasets["published"].path(split))]
    gains = [
        r.quality["approximation_ratio"] - r.quality["uniform_approximation_ratio"] for r in rows
    ]
    assert min(gains) < 0.05


def test_cards_name_the_teacher(datasets, tmp_path):
    for teacher, summary in datasets.items():
        found = describe_dataset(summary.directory)
        assert found.teachers == {teacher: 40}
        card = write_card(found, tmp_path / teacher, data_files={}).read_text()
        assert f"| {teacher}: " in card


def test_solve_command_takes_the_teacher_of_the_configuration(datasets, tmp_path, capsys):
    problems, output = datasets["solver"].path("test"), tmp_path / "solved.jsonl"
    settings = ["--set", "dataset.teacher=published", "--set", "dataset.num_workers=1"]
    order = ["solve", "--problems", str(problems), "--output", str(output), *settings, "--ansatz"]
    assert main([*order, "qaoa"]) == 0
    solved = read_problems(output)
    assert {record.teacher for record in solved} == {"published"}
    assert main([*order, "ma_qaoa"]) == 2
    assert "makes no circuits of ansatz 'ma_qaoa'" in capsys.readouterr().err
