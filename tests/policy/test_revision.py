"""A second turn of compact prompts: what is told of an answer is true, and the answer that improves
it is one that the grammar writes.
"""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.canonical import normalised_terms
from quasar.circuits.qasm import read_qasm
from quasar.config import load_config
from quasar.datasets.canonical_answers import basis_state_answer, qaoa_answer, with_plan
from quasar.datasets.compact import compact_messages
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.io import write_problems
from quasar.datasets.plan import PartialAssignment, worked_plan
from quasar.datasets.random_ising import random_ising
from quasar.datasets.records import ProblemRecord
from quasar.datasets.revised_examples import revised_angles
from quasar.datasets.revision import (
    assignment_text,
    best_restart,
    restarted,
    slopes_text,
)
from quasar.datasets.stream import ExampleStream
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.errors import ConfigError
from quasar.policy.engines.loading import load_engine
from quasar.policy.grammar import TokenGrammar
from quasar.policy.models import build_policy, load_chat
from quasar.policy.program_form import program_form
from quasar.policy.tokenizer import train_tokenizer, whole_pieces
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities
from quasar.training.examples import teacher_examples
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.request import VerificationRequest


@pytest.fixture(scope="module")
def config():
    shrunk = ["hidden_size=32", "num_layers=1", "num_attention_heads=2", "num_key_value_heads=1"]
    return load_config(
        "policy",
        [*(f"policy.{one}" for one in (*shrunk, "intermediate_size=64")),
         "dataset.max_qubits=6", "generation.constrained=true", "generation.max_turns=2",
         "sft.stream.examples=8", "sft.stream.revisions=1.0", "sft.loss=choices"],
    )  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(config):
    pieces = [piece.text for piece in whole_pieces(config.dataset)]
    return train_tokenizer(["0123456789 q = 4.2"], vocab_size=len(pieces) + 300, pieces=pieces)


@pytest.fixture(scope="module")
def grammar(tokenizer):
    return TokenGrammar(tokenizer, vocab_size=len(tokenizer))


@pytest.fixture(scope="module")
def model(config, tmp_path_factory):
    return build_policy(config, ["0123456789"], tmp_path_factory.mktemp("model") / "initial")


@st.composite
def assignments(draw):
    """(Terms of a Hamiltonian, bits)."""
    n = draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    return normalised_terms(random_ising(rng, n)), rng.integers(0, 2, n).tolist()


def energy(terms, bits):
    return sum(t.coefficient * (-1) ** sum(bits[q] for q in t.wires) for t in terms)


@given(assignments())
def test_what_argues_against_a_bit_is_half_of_what_the_other_one_gains(given_one):
    terms, bits = given_one
    told = re.findall(r" q(\d+)=([01]) (-?[\d.]+)", assignment_text(terms, bits))
    assert sorted(int(q) for q, _, _ in told) == list(range(len(bits)))
    numbers = [float(number) for _, _, number in told]
    assert numbers == sorted(numbers, reverse=True)
    for q, bit, number in told:
        assert int(bit) == bits[int(q)]
        other = [b ^ (i == int(q)) for i, b in enumerate(bits)]
        gain = energy(terms, bits) - energy(terms, other)
        assert float(number) == pytest.approx(np.clip(gain / 2, -3.14, 3.14), abs=0.0051)


@given(assignments())
def test_the_best_restart_is_the_best_of_all_with_the_most_against_its_bit(given_one):
    terms, bits = given_one
    ends = {q: energy(terms, restarted(terms, bits, q)[1]) for q in range(len(bits))}
    found = best_restart(terms, bits)
    if found is None:
        assert all(end >= energy(terms, bits) - 1e-6 for end in ends.values())
        return
    assert ends[found] < energy(terms, bits)
    assert ends[found] == pytest.approx(min(ends.values()), abs=1e-6)
    present = PartialAssignment(terms, len(bits), bits=bits)
    as_good = [q for q, end in ends.items() if end < ends[found] + 1e-9]
    assert present.argument(found) == pytest.approx(max(present.argument(q) for q in as_good))


@settings(max_examples=25, deadline=None)
@given(assignments(), st.integers(0, 99), st.sampled_from(("adaptive", "sim_2", "sim_14")))
def test_the_grammar_writes_every_revision(config, grammar, given_one, seed, ansatz):
    terms, bits = given_one
    n, rng = len(bits), np.random.default_rng(seed)
    if not terms or (ansatz == "sim_14" and n < 3):
        return
    instance = make_candidate(Cell("max_cut", 3), 0, 0)
    form = program_form(instance, ansatz=ansatz, layers=1, settings=config.dataset)
    form = replace(form, num_qubits=n, terms=tuple(terms), revises=True)
    qubit = int(rng.integers(n))
    first, ended = restarted(terms, bits, qubit)
    assert first[qubit] == 1 - bits[qubit]
    program = basis_state_answer(ansatz, ended, layers=1, decimals=2)
    answer = with_plan(program, worked_plan(terms, ended, first, (qubit,)))
    ids = grammar._tokenizer.encode(answer, add_special_tokens=False)
    legal = grammar.follow(form, [*ids, grammar.eos_id])
    assert legal is not None
    # The qubit that it begins with is chosen among all, and each line's bit.
    sizes = [len(legal.sets[i]) for i in legal.index if len(legal.sets[i]) > 1]
    assert sizes[0] == n
    assert set(sizes[1:]) == {2}
    assert grammar.follow(replace(form, revises=False), [*ids, grammar.eos_id]) is None or (
        qubit == PartialAssignment(terms, n).clearest()
    )


@pytest.mark.parametrize("layers", [1, 3])
def test_the_slopes_of_an_example_are_those_of_a_verification(config, layers):
    problem = make_candidate(Cell("max_cut", 5), seed=3, index=0)
    rng = np.random.default_rng(1)
    revision = revised_angles(problem.hamiltonian, [0.4] * 2 * layers, rng, decimals=2)
    check = VerificationRequest(problem, revision.answer, diagnose=True)
    (report,) = LocalVerifierPool(config.verification).verify([check])
    slopes = report.diagnosis.parameters
    assert slopes_text([(s.name, s.value, s.derivative) for s in slopes]) == revision.observation
    assert [s.name for s in slopes[:2]] == ["g1", "b1"]
    # Against the energies of programs a little further along each angle.
    gammas, betas = ([s.value for s in slopes[k::2]] for k in (0, 1))
    scale = problem.hamiltonian.energies.std()
    for k, slope in enumerate(slopes):
        values = []
        for step in (0.02, -0.02):
            moved = [list(gammas), list(betas)]
            moved[k % 2][k // 2] += step
            angles = [*(g / scale for g in moved[0]), *moved[1]]
            text = qaoa_answer(problem.hamiltonian, angles, decimals=4)
            (found,) = LocalVerifierPool(config.verification).verify(
                [VerificationRequest(problem, text)]
            )
            values.append(found.expectation.energy / scale)
        assert slope.derivative == pytest.approx((values[0] - values[1]) / 0.04, abs=0.02)


def test_a_circuit_that_is_not_qaoa_has_no_such_slopes(config):
    problem = make_candidate(Cell("max_cut", 4), seed=3, index=0)
    text = basis_state_answer("sim_2", [0, 1, 0, 1], layers=1, decimals=2)
    assert recognise(text) is not None
    check = VerificationRequest(problem, text, diagnose=True)
    (report,) = LocalVerifierPool(config.verification).verify([check])
    assert report.diagnosis.gradient is not None
    assert report.diagnosis.parameters is None


def test_streamed_revisions_improve_and_say_what_a_tool_says(config):
    stream, kinds = ExampleStream(config, []), 0
    for number in range(30):
        example = stream.example(number)
        if example.before is None:
            continue
        kinds += 1
        hamiltonian = example.hamiltonian
        terms, n = normalised_terms(hamiltonian), hamiltonian.num_qubits
        bits, better = (
            [int(state) >> q & 1 for q in range(n)]
            for answer in (example.before.answer, example.answer)
            for state in np.flatnonzero(probabilities(encode(read_qasm(answer))) > 0.99)
        )
        assert example.before.planned
        assert example.before.observation == assignment_text(terms, bits)
        assert energy(terms, better) < energy(terms, bits) - 1e-6
    assert kinds >= 3


def test_training_reads_the_first_turn_and_learns_the_second(config, model, local_ray, tmp_path):
    problem = make_candidate(Cell("max_cut", 5), seed=3, index=0)
    extras = {"parameters": {"gammas": [0.3, 0.5], "betas": [-0.5, -0.3]}}
    record = ProblemRecord(0, problem, "qaoa", 2, extras)
    write_problems(tmp_path / "p.jsonl", [record])
    examples = teacher_examples(config, [record], model=model, first=0, per_step=8)
    chat, seen = load_chat(model), 0
    try:
        for sequence in examples.batch(0):
            response, mask = sequence.tokens.response_ids, sequence.tokens.mask
            turns = [i for i, token in enumerate(response) if token == chat.eos_id]
            if len(turns) < 3:  # of the first answer, the tool and the second answer
                continue
            seen += 1
            assert not mask[: turns[1]].any()
            assert mask[turns[1] :].any()
            legal = sequence.tokens.legal
            assert (legal.index[: turns[1]] == -1).all()
    finally:
        examples.close()
    assert seen


def test_an_episode_of_two_turns_revises_what_it_wrote(config, model):
    engine = load_engine(model, config, device="cpu")
    tool = LocalVerifierPool(config.verification, config.reward.formula)
    runner = EpisodeRunner(
        engine,
        verifying(tool.verify, config.reward, config.generation),
        generation=config.generation,
    )
    tasks = []
    for index, (ansatz, layers) in enumerate((("adaptive", 1), ("sim_2", 1), ("qaoa", 2)) * 3):
        problem = make_candidate(Cell("max_cut", 6), seed=9, index=index)
        messages = compact_messages(problem.hamiltonian, ansatz=ansatz, layers=layers)
        form = program_form(problem, ansatz=ansatz, layers=layers, settings=config.dataset)
        tasks.append(EpisodeTask(problem, messages, index, 0, (5, index), form))
    episodes = runner.run(tasks, weights_version=0)
    revised = [e for e in episodes if len(e.texts) == 2]
    assert len(revised) >= 3  # an untrained model seldom has the optimum at once
    for episode in revised:
        (told,) = episode.observations
        assert episode.report.valid
        if "cost(" in episode.texts[1]:
            assert told.startswith("const float g1 = ")
            assert told.count("\n") == 3
            continue
        terms = normalised_terms(tasks[episode.group].problem.hamiltonian)
        bits = dict(re.findall(r" q(\d+)=([01])", told))
        bits = [int(bits[str(q)]) for q in range(6)]
        assert told == assignment_text(terms, bits)
        # It begins with a qubit of its own choice, about which nothing is decided yet.
        begun = re.search(r"// q(\d+):(.*) = .* -> ", episode.texts[1])
        assert "=" not in begun[2]


def test_revisions_without_a_stream_are_refused():
    with pytest.raises(ConfigError, match=r"sft\.stream\.revisions is a share of streamed"):
        load_config("policy", ["sft.stream.examples=0", "sft.stream.revisions=0.5"])
