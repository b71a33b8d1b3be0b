"""Canonical programs under the grammar: forced but for the choices, in the tokenizer's own ids."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits.ansatz import ansatz_names, get_ansatz
from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.canonical import energy_scale, normalised_terms
from quasar.circuits.qasm import read_qasm
from quasar.config import load_config, with_overrides
from quasar.datasets.canonical_answers import basis_state_answer, qaoa_answer, with_plan
from quasar.datasets.compact import compact_messages
from quasar.datasets.plan import PartialAssignment, worked_plan
from quasar.datasets.random_ising import random_ising
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.policy.engines.decoding import Decoding, DecodingRow
from quasar.policy.engines.protocol import Sampling
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.policy.grammar import AutomatonPath, ScriptPath, TokenGrammar
from quasar.policy.models import build_policy
from quasar.policy.patterns import form_pattern
from quasar.policy.program_form import ProgramForm, program_form
from quasar.policy.tokenizer import train_tokenizer, whole_pieces
from quasar.problems import build_instance
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.training.algorithm.losses import k3
from quasar.training.algorithm.packing import TrainingSequence, pad
from quasar.training.algorithm.scorer import TokenScorer
from quasar.verification.execution.pool import LocalVerifierPool

MAX_QUBITS = 7
MOST_TOKENS = 2000


@pytest.fixture(scope="module")
def config():
    shrunk = ["hidden_size=64", "num_layers=2", "num_attention_heads=2", "num_key_value_heads=1"]
    changes = [f"policy.{one}" for one in (*shrunk, "intermediate_size=128")]
    return load_config(
        "policy",
        [*changes, f"dataset.max_qubits={MAX_QUBITS}", "generation.constrained=true"],
    )


@pytest.fixture(scope="module")
def tokenizer(config):
    pieces = [piece.text for piece in whole_pieces(config.dataset)]
    return train_tokenizer(["0123456789 q = 4.2"], vocab_size=len(pieces) + 300, pieces=pieces)


@pytest.fixture(scope="module")
def grammar(tokenizer):
    return TokenGrammar(tokenizer, vocab_size=len(tokenizer) + 7)


def hamiltonian_of(seed: int, num_qubits: int) -> IsingHamiltonian:
    """Random, with a term of three qubits now and then."""
    if num_qubits == 1:
        return IsingHamiltonian(1, ((0.3, (0,)),))
    rng = np.random.default_rng(seed)
    found = random_ising(rng, num_qubits)
    if num_qubits > 2 and rng.random() < 0.5:
        found = IsingHamiltonian(num_qubits, (*found.terms, (0.7, (2, 0, 1))))
    return found


def form_of(hamiltonian: IsingHamiltonian, ansatz: str | None, layers: int) -> ProgramForm:
    terms = tuple(normalised_terms(hamiltonian))
    return ProgramForm(hamiltonian.num_qubits, "canonical", ansatz, layers, terms)


def walk(grammar, form, seed, limit=MOST_TOKENS):
    """Ids that a uniform model writes, the turn's end among them, and the sizes of their sets."""
    rng, path, ids, sizes = np.random.default_rng(seed), grammar.path(form), [], []
    while len(ids) < limit and (not ids or ids[-1] != grammar.eos_id):
        (mask,) = grammar.masks([path.row(limit - len(ids))])
        legal = mask.nonzero()[:, 0].tolist()
        ids.append(legal[int(rng.integers(len(legal)))])
        sizes.append(len(legal))
        path.take(ids[-1])
        assert path.complete or ids[-1] != grammar.eos_id
    return ids, sizes


scripted = [n for n in ansatz_names() if n not in ("sim_9", "ma_qaoa")]


@settings(max_examples=150)
@given(st.sampled_from(scripted), st.integers(2, MAX_QUBITS), st.integers(1, 3), st.integers(0))
def test_whatever_is_chosen_is_of_the_named_family_in_the_tokenizers_ids(
    grammar, tokenizer, ansatz, num_qubits, layers, seed
):
    family = get_ansatz(ansatz)
    num_qubits = max(num_qubits, family.min_qubits)
    layers = 1 if ansatz == "adaptive" else layers
    hamiltonian = hamiltonian_of(seed % 1000, num_qubits)
    form = form_of(hamiltonian, ansatz, layers)
    assert isinstance(grammar.path(form), ScriptPath)
    ids, sizes = walk(grammar, form, seed)
    text = tokenizer.decode(ids[:-1])
    assert ids[:-1] == tokenizer.encode(text, add_special_tokens=False)
    assert ids[-1] == grammar.eos_id
    drawn = [size for size in sizes if size > 1]
    if ansatz == "qaoa":
        assert len(drawn) == 2 * layers
        angles = [float(a) for a in re.findall(r"const float \w+ = (\S+);", text)]
        gammas, betas = angles[::2], angles[1::2]
        parameters = np.array(gammas) / energy_scale(hamiltonian)
        assert text == qaoa_answer(hamiltonian, [*parameters, *betas], decimals=2)
    else:
        lines = re.findall(r"// q(\d+):(.*) -> ([01])\n", text)
        assert drawn == [2] * len(lines)  # the bits
        plan = PartialAssignment(normalised_terms(hamiltonian), num_qubits)
        for qubit, worked, bit in lines:  # order and fields are those of the plan
            assert (int(qubit), worked) == (plan.next(), plan.worked(int(qubit)))
            plan.decide(int(qubit), int(bit))
        assert plan.next() is None
        bits = [plan.bits[q] for q in range(num_qubits)]
        program = basis_state_answer(ansatz, bits, layers=layers, decimals=2)
        comments = "".join(f"// q{q}:{worked} -> {bit}\n" for q, worked, bit in lines)
        assert text == with_plan(program, comments)
    circuit = read_qasm(text)
    assert circuit.num_qubits == num_qubits
    found = recognise(circuit, hamiltonian)
    assert found is not None
    if ansatz != "qaoa":
        assert found.family == family.family
    elif all(gammas) and all(betas):
        assert (found.family, found.layers) == ("qaoa", layers)


@settings(max_examples=60)
@given(st.sampled_from(scripted), st.integers(2, MAX_QUBITS), st.integers(0, 999))
def test_what_is_taught_is_legal(grammar, tokenizer, ansatz, num_qubits, seed):
    num_qubits = max(num_qubits, get_ansatz(ansatz).min_qubits)
    hamiltonian = hamiltonian_of(seed, num_qubits)
    rng = np.random.default_rng(seed)
    form = form_of(hamiltonian, ansatz, 1)
    if ansatz == "qaoa":
        gamma, beta = rng.uniform(-3, 3, 2)
        parameters = [gamma / energy_scale(hamiltonian), beta]
        text = qaoa_answer(hamiltonian, parameters, decimals=2)
    else:
        bits = rng.integers(0, 2, num_qubits).tolist()
        program = basis_state_answer(ansatz, bits, layers=1, decimals=2)
        text = with_plan(program, worked_plan(form.terms, bits))
    path = grammar.path(form)
    for token in [*tokenizer.encode(text, add_special_tokens=False), grammar.eos_id]:
        assert grammar.masks([path.row(MOST_TOKENS)])[0, token]
        path.take(token)
    assert path.complete


@settings(max_examples=40)
@given(
    st.sampled_from(["sim_9", "ma_qaoa", None]),
    st.integers(1, 5),
    st.integers(0, 999),
    st.integers(0, 200),
)
def test_a_family_without_a_script_is_held_to_the_pattern_and_steered_to_its_end(
    grammar, tokenizer, ansatz, num_qubits, seed, spare
):
    form = form_of(hamiltonian_of(seed, num_qubits), ansatz, 1 + seed % 3)
    assert isinstance(grammar.path(form), AutomatonPath)
    limit = grammar.automaton(form).shortest + spare
    ids, _ = walk(grammar, form, seed, limit)
    assert ids[-1] == grammar.eos_id
    text = tokenizer.decode(ids[:-1])
    assert re.fullmatch(form_pattern(form), text)
    assert read_qasm(text).num_qubits == num_qubits


@pytest.mark.parametrize("ansatz", [None, "sim_5"])
def test_a_tokenizer_without_the_pieces_writes_plans_by_the_pattern(tiny_policy, ansatz):
    tokenizer = CircuitGenerator.load(tiny_policy, device="cpu").tokenizer
    grammar = TokenGrammar(tokenizer, vocab_size=len(tokenizer))
    hamiltonian = hamiltonian_of(3, 4)
    form = form_of(hamiltonian, ansatz, 2)
    assert isinstance(grammar.path(form), AutomatonPath)
    for seed in range(10):
        ids, _ = walk(grammar, form, seed, grammar.automaton(form).shortest + 100)
        text = tokenizer.decode(ids[:-1])
        assert ids[-1] == grammar.eos_id
        assert read_qasm(text).num_qubits == 4
    bits = [0, 1, 1, 0]
    gammas = np.array([1.3, 0.7]) / energy_scale(hamiltonian)
    taught = qaoa_answer(hamiltonian, [*gammas, -0.4, -0.2], decimals=2)
    if ansatz == "sim_5":
        program = basis_state_answer(ansatz, bits, layers=2, decimals=2)
        taught = with_plan(program, worked_plan(form.terms, bits))
    assert re.fullmatch(form_pattern(form), taught)


def test_a_problem_of_more_qubits_than_the_pieces_know_is_written_by_the_pattern(grammar):
    form = form_of(hamiltonian_of(1, MAX_QUBITS + 1), "adaptive", 1)
    assert isinstance(grammar.path(form), AutomatonPath)


def test_masks_are_right_however_many_sets_there_were(grammar, tokenizer):
    """More than are kept at a time, then those that were let go again."""
    ids = np.arange(len(tokenizer) - 3, dtype=np.int32)
    starts = [(i, width) for width in (2, 3) for i in range(len(ids))]
    assert len(starts) > 2048
    numbers = [grammar.number(np.arange(i, i + width, dtype=np.int32)) for i, width in starts]
    for first in (*range(0, len(numbers), 100), 0):
        found = grammar.masks(numbers[first : first + 100])
        for (i, width), mask in zip(starts[first : first + 100], found, strict=True):
            assert mask.nonzero()[:, 0].tolist() == list(range(i, i + width))


@pytest.fixture(scope="module")
def generator(config, tmp_path_factory):
    directory = build_policy(config, ["0123456789"], tmp_path_factory.mktemp("policy") / "model")
    return CircuitGenerator.load(directory, device="cpu")


@pytest.fixture(scope="module")
def problem():
    edges = [{"source": i, "target": j} for i, j in ((0, 1), (1, 2), (2, 3), (0, 3), (0, 2))]
    graph = {"directed": False, "nodes": [{"id": i} for i in range(4)], "edges": edges}
    return build_instance("vertex_cover", graph)


def test_the_learner_has_the_distribution_that_the_sampler_drew_from(generator, config, problem):
    forms = [("qaoa", 1), ("sim_5", 2), ("adaptive", 1), ("qaoa", 3)]
    tasks = [
        EpisodeTask(
            problem,
            compact_messages(problem.hamiltonian, ansatz=ansatz, layers=layers),
            0,
            i,
            (i,),
            program_form(problem, ansatz=ansatz, layers=layers, settings=config.dataset),
        )
        for i, (ansatz, layers) in enumerate(forms)
    ]
    tool = LocalVerifierPool(config.verification, "hierarchical").verify
    tools = verifying(tool, config.reward, config.generation)
    runner = EpisodeRunner(generator, tools, generation=config.generation)
    episodes = runner.run(tasks, weights_version=0)
    for episode, (ansatz, _) in zip(episodes, forms, strict=True):
        assert episode.report.valid
        found = recognise(episode.texts[-1], problem.hamiltonian)
        assert found.family == get_ansatz(ansatz).family
    packed = pad([TrainingSequence.of(e.tokens, 1.0) for e in episodes], pad_id=0)
    sampled = torch.from_numpy(packed.sampler_log_probs[packed.trained])
    arrays = (packed.input_ids, packed.attention_mask, packed.trained)
    ids, mask, trained = (torch.from_numpy(a) for a in arrays)
    temperature = config.generation.temperature
    scored, _ = TokenScorer(generator.model)(ids, mask, trained, temperature, legal=packed.legal)
    torch.testing.assert_close(scored.detach(), sampled, atol=3e-5, rtol=1e-5)
    assert k3(sampled, scored).mean() < 1e-8
    # Of a QAOA program two tokens a layer are trained, of a plan one a line; nothing behind them
    # is read.
    lines = [episode.texts[-1].count("// q") for episode in episodes]
    assert min(lines[1:3]) >= 4  # of four qubits, and of an improving pass
    assert [e.counts.trained for e in episodes] == [2, *lines[1:3], 6]
    assert len(scored) == 8 + sum(lines[1:3])
    assert (scored < 0).all()
    assert packed.input_ids.shape[1] == max(e.counts.total for e in episodes)
    assert all(e.counts.scored < e.counts.response / 2 for e in episodes if e.sample in (0, 3))


def test_what_is_forced_is_written_without_the_model_and_is_the_same(
    generator, config, problem, monkeypatch
):
    """In fewer passes than tokens, as if each token had been drawn from its set."""
    hamiltonian, sampling = problem.hamiltonian, Sampling(0.7, 0.9, 500)
    chat = generator.chat
    prompts, forms = [], []
    for ansatz, layers in (("qaoa", 1), ("qaoa", 2), ("sim_5", 2), ("adaptive", 1)):
        messages = compact_messages(hamiltonian, ansatz=ansatz, layers=layers)
        prompts.append(chat.prompt_ids(messages))
        forms.append(program_form(problem, ansatz=ansatz, layers=layers, settings=config.dataset))
    passes = []
    logits = Decoding._logits
    monkeypatch.setattr(
        Decoding, "_logits", lambda self, *args: passes.append(1) or logits(self, *args)
    )

    def sample():
        return generator.sample(prompts, seeds=[1, 2, 3, 4], sampling=sampling, forms=forms)

    skipped, few = sample(), len(passes)
    monkeypatch.setattr(DecodingRow, "skip", lambda self, **_: None)
    passes.clear()
    drawn = sample()
    for one, other in zip(skipped, drawn, strict=True):
        assert (one.token_ids, one.text, one.finished) == (other.token_ids, other.text, True)
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-5)
        assert [one.legal.sets[i].tolist() for i in one.legal.index] == [
            other.legal.sets[i].tolist() for i in other.legal.index
        ]
    assert few < len(passes)
    passes.clear()
    monkeypatch.undo()
    cut = generator.sample(prompts[:1], seeds=[1], sampling=Sampling(0.7, 0.9, 20), forms=forms[:1])
    assert cut[0].token_ids == skipped[0].token_ids[:20]
    assert not cut[0].finished


def test_an_answer_is_followed_to_its_choices_or_not_at_all(generator, problem, config):
    form = program_form(problem, ansatz="qaoa", layers=2, settings=config.dataset)
    scale = energy_scale(problem.hamiltonian)
    for gamma, known in ((1.3, True), (3.7, False)):  # no piece is beyond π
        parameters = [gamma / scale, 0.7 / scale, -0.4, -0.2]
        ids = generator.chat.answer_ids(qaoa_answer(problem.hamiltonian, parameters, decimals=2))
        legal = generator.grammar.follow(form, ids)
        assert (legal is not None) == known
    free = generator.grammar.follow(ProgramForm(4), ids)
    assert free is None
    ids = generator.chat.answer_ids(qaoa_answer(problem.hamiltonian, [1, -0.4], decimals=2))
    one = program_form(problem, ansatz="qaoa", layers=1, settings=config.dataset)
    legal = generator.grammar.follow(one, ids)
    chosen = np.asarray(ids)[legal.free]
    texts = [generator.tokenizer.decode([i]) for i in chosen]
    assert [float(text) for text in texts] == [round(scale, 2), -0.4]


def test_free_prompts_name_no_family_to_be_held_to(config, problem):
    no_stream = {"sft.stream.examples": 0, "sft.loss": "all"}
    free = with_overrides(config, {"dataset.prompts": "free", **no_stream})
    form = program_form(problem, ansatz="qaoa", layers=1, settings=free.dataset)
    assert form.ansatz is None
    published = with_overrides(config, {"dataset.style": "published", **no_stream})
    form = program_form(problem, ansatz="qaoa", layers=1, settings=published.dataset)
    assert form == ProgramForm(problem.num_qubits)


def test_further_answers_take_the_qubits_in_orders_of_their_own(generator, config, problem):
    """The first keeps that of the fields; the same seed draws the same orders."""
    messages = compact_messages(problem.hamiltonian, ansatz="adaptive", layers=1)
    form = program_form(problem, ansatz="adaptive", layers=1, settings=config.dataset)
    tasks = [EpisodeTask(problem, messages, 0, s, (7, s), form) for s in range(6)]
    pool = LocalVerifierPool(config.verification)
    tools = verifying(pool.verify, config.reward, config.generation)

    def orders(plan_order):
        generation = config.generation.model_copy(update={"plan_order": plan_order})
        texts = EpisodeRunner(generator, tools, generation=generation).answers(tasks)
        lines = [[int(line[0]) for line in text.split("// q")[1:]] for text in texts]
        return [tuple(order[: problem.num_qubits]) for order in lines]

    by_field, varied = orders("field"), orders("varied")
    assert {order[0] for order in by_field} == {by_field[0][0]}
    assert varied[0] == by_field[0]
    assert len(set(varied)) > 3
    assert varied == orders("varied")
    assert {frozenset(order) for order in varied} == {frozenset(range(problem.num_qubits))}
