"""Streamed examples: the same for a seed, right for their Hamiltonian, of the family named."""

import re
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.qasm import read_qasm
from quasar.config import load_config
from quasar.datasets.canonical_answers import qaoa_answer
from quasar.datasets.generation.generate import generate_dataset
from quasar.datasets.io import read_problems
from quasar.datasets.random_ising import random_ising
from quasar.datasets.stream import ExampleStream, Guise
from quasar.problems import problem_names
from quasar.problems.hamiltonian import IsingHamiltonian, Spectrum
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities

STREAM = [
    f"dataset.primitives=[{', '.join(problem_names())}]",
    "dataset.min_qubits=2",
    "dataset.max_qubits=9",
    "dataset.prompts=compact",
    "dataset.style=canonical",
]
_TERM = re.compile(r" (-?[\d.]+)((?: q\d+)+)")


@pytest.fixture(scope="module")
def stream():
    return ExampleStream(load_config("laptop", STREAM), [])


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Problems solved by QAOA of one to three layers, as canonical programs."""
    config = load_config(
        "laptop",
        [*STREAM, "dataset.primitives=[max_cut, knapsack, edge_cover]", "dataset.num_examples=12",
         "dataset.max_qubits=6", "dataset.num_workers=1", "dataset.layers=[1,2,3]"],
    )  # fmt: skip
    directory = tmp_path_factory.mktemp("tuned")
    generate_dataset(config, directory, progress=False)
    return read_problems(directory / "train.jsonl")


def asked(example) -> tuple[IsingHamiltonian, str, int]:
    """(Hamiltonian as the prompt has it, family, layers)."""
    (message,) = example.messages
    text = message["content"]
    n = int(re.match(r"Qubits: (\d+)\n", text)[1])
    name, layers = re.search(r"Ansatz: (\w+), (\d+) layer", text).groups()
    terms = [
        (float(c), tuple(map(int, re.findall(r"\d+", wires))))
        for c, wires in _TERM.findall(text.partition("H =")[2])
    ]
    return IsingHamiltonian(n, tuple(terms)), name, int(layers)


def test_an_example_hangs_on_seed_and_number_alone(stream):
    again = ExampleStream(load_config("laptop", STREAM), [])
    other = ExampleStream(load_config("laptop", [*STREAM, "run.seed=1"]), [])
    backwards = [again.example(k) for k in reversed(range(8))][::-1]
    assert [stream.example(k) for k in range(8)] == backwards
    assert stream.example(3) != stream.example(3, attempt=1)
    assert [stream.example(k) for k in range(8)] != [other.example(k) for k in range(8)]


def test_answers_are_of_the_family_asked_for_and_prepare_an_optimum(stream):
    families = set()
    for number in range(60):
        example = stream.example(number)
        hamiltonian, name, layers = asked(example)
        found = recognise(example.answer)
        assert found is not None
        if name != "adaptive":
            assert (found.ansatz.name, found.layers) == (name, layers)
        families.add(found.family)
        chances = probabilities(encode(read_qasm(example.answer)))
        state = int(chances.argmax())
        assert chances[state] == pytest.approx(1.0)
        # Coefficients are rounded in the prompt: near levels may change places.
        spectrum = Spectrum.of(hamiltonian)
        rounding = 2 * 0.005 * len(hamiltonian.terms)
        assert spectrum.energies[state] <= spectrum.minimum + rounding
    assert families == {"adaptive", "hardware_efficient"}


def test_qaoa_examples_keep_the_quality_of_their_record(tuned):
    config = load_config("laptop", [*STREAM, "sft.stream.fresh=0"])
    stream = ExampleStream(config, tuned)
    best = {}
    for record in tuned:
        key = (record.problem.num_qubits, record.n_layers)
        best.setdefault(key, []).append(record.quality["approximation_ratio"])
    for number in range(20):
        example = stream.example(number)
        hamiltonian, name, layers = asked(example)
        assert name == "qaoa"
        assert recognise(example.answer, hamiltonian).layers == layers
        spectrum = Spectrum.of(hamiltonian)
        energy = probabilities(encode(read_qasm(example.answer))) @ spectrum.energies
        ratio = (spectrum.maximum - energy) / (spectrum.maximum - spectrum.minimum)
        known = best[(hamiltonian.num_qubits, layers)]
        assert min(abs(ratio - k) for k in known) < 0.03


def test_canonical_datasets_hold_recognised_programs(tuned):
    for record in tuned:
        program = record.problem.reference_circuit
        assert program.count("\n") < 60
        found = recognise(program, record.problem.hamiltonian)
        assert (found.family, found.layers) == ("qaoa", record.n_layers)
        parameters = [*record.extras["parameters"]["gammas"], *record.extras["parameters"]["betas"]]
        assert program == qaoa_answer(record.problem.hamiltonian, parameters, decimals=2)


@given(st.integers(0, 10**6), st.integers(2, 7))
def test_a_guise_moves_every_state_and_its_energy_along(seed, num_qubits):
    rng = np.random.default_rng(seed)
    hamiltonian = random_ising(rng, num_qubits)
    guise = Guise.draw(num_qubits, rng)
    states = np.arange(1 << num_qubits)
    moved = guise.states(states)
    assert sorted(moved) == states.tolist()
    np.testing.assert_allclose(
        guise.hamiltonian(hamiltonian).energies[moved], hamiltonian.energies, atol=1e-9
    )


def test_random_models_are_of_many_kinds():
    rng = np.random.default_rng(0)
    models = [random_ising(rng, int(n)) for n in rng.integers(2, 12, 200)]
    orders = {len(wires) for model in models for _, wires in model.terms}
    assert {1, 2, 3, 4} <= orders
    sizes = [len(model.terms) / model.num_qubits for model in models]
    assert min(sizes) < 1 < 3 < max(sizes)
    assert any(len({abs(c) for c, _ in m.terms}) == 1 for m in islice(models, 50))


def test_plans_with_mistakes_make_them_good():
    stream = ExampleStream(load_config("laptop", [*STREAM, "sft.stream.improving=1"]), [])
    made_good = 0
    for number in range(60):
        example = stream.example(number)
        lines = re.findall(r"// q(\d+):.* -> ([01])\n", example.answer)
        n = example.hamiltonian.num_qubits
        first, last = dict(lines[:n]), dict(lines)
        assert len(first) == n
        wrong = {k for k, (q, bit) in enumerate(lines[:n]) if last[q] != bit}
        assert example.mistakes == wrong
        made_good += bool(wrong)
        state = sum(int(bit) << int(q) for q, bit in last.items())
        assert state in Spectrum.of(example.hamiltonian).optimal
    assert made_good > 20
