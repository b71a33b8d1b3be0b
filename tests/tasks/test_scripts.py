"""Scripted answers: what the teacher writes is right, and whatever is chosen is a program."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits.qasm import Limits
from quasar.config import load_config
from quasar.datasets.task_answers import is_scripted, taught_answer
from quasar.datasets.task_records import TaskRecord
from quasar.policy.grammar import TokenGrammar
from quasar.policy.models import build_policy, load_chat
from quasar.policy.patterns import form_pattern
from quasar.policy.program_form import record_form
from quasar.simulation.stabiliser.tableau import PauliString, Tableau
from quasar.tasks import get_task
from quasar.tasks.stabiliser import plan
from quasar.tasks.stabiliser.target import Target
from quasar.tasks.writing import angle_text, angle_texts, follow
from tests.support.tiny import TINY
from tests.tasks.instances import NAMES, cells, made

CONFIG = load_config("laptop-tasks", TINY)
SCRIPTED = [(name, *cell) for name in ("ground_state", "stabiliser") for cell in cells(name)]
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    return load_chat(build_policy(CONFIG, ["Qubits"], tmp_path_factory.mktemp("model") / "small"))


@pytest.mark.parametrize(("name", "family", "n"), SCRIPTED)
def test_the_teacher_is_right_in_the_words_of_the_script(name, family, n, chat):
    task, instance, facts = made(name, family, n)
    text = task.worked(instance, decimals=2)
    assert text is not None
    circuit = task.read_program(text, instance, Limits(max_qubits=n))
    assert task.grade(instance, circuit, facts).success
    record = TaskRecord(0, instance)
    grammar = TokenGrammar(chat.tokenizer, vocab_size=len(chat.tokenizer), eos_id=chat.eos_id)
    legal = grammar.follow(record_form(record, CONFIG.dataset), chat.answer_ids(text))
    assert legal is not None  # written by the script, token by token
    assert 0 < legal.free.sum() < 40  # few of them are choices
    assert re.fullmatch(form_pattern(record_form(record, CONFIG.dataset)), text)


@pytest.mark.parametrize(("family", "n"), cells("state_preparation"))
def test_a_state_is_written_line_by_line_and_what_is_restated_stands_in_the_prompt(family, n, chat):
    task, instance, facts = made("state_preparation", family, n)
    text = task.worked(instance, decimals=2)
    assert text is not None
    circuit = task.read_program(text, instance, Limits(max_qubits=n))
    assert task.grade(instance, circuit, facts).figures["fidelity"] > 0.998
    record = TaskRecord(0, instance)
    grammar = TokenGrammar(chat.tokenizer, vocab_size=len(chat.tokenizer), eos_id=chat.eos_id)
    legal = grammar.follow(record_form(record, CONFIG.dataset), chat.answer_ids(text))
    assert legal is not None
    # Nothing of the construction is forced: as many choices as gates, and one for the end.
    assert legal.free.sum() > len(circuit.gates)
    (asked,) = task.prompt(instance, style="compact")
    for restated in re.findall(r"^// of (.*)$", text, re.MULTILINE):
        assert restated.replace(".0,", ",").removesuffix(".0") in asked["content"]


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_whatever_lines_are_chosen_a_state_is_a_program(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    task, instance, facts = made("state_preparation", "product", n)
    script = task.script(instance, decimals=2)
    text = follow(script, lambda choices: choices[int(rng.integers(len(choices)))])
    circuit = task.read_program(text, instance, Limits(max_qubits=n))
    assert task.grade(instance, circuit, facts).parts.keys() == task.parts.keys()


@pytest.mark.parametrize("family", ["h2", "lih"])
def test_angles_along_a_bond_are_a_smooth_function_of_it(family):
    """Where the energy hardly depends on an angle, a descent leaves it anywhere."""
    task, found = get_task("ground_state"), []
    for length in np.round(np.arange(1.5, 2.51, 0.1), 2):
        instance = task.read(family, {"parameters": {"bond_length": float(length)}})
        text = task.worked(instance, decimals=2)
        found.append([float(angle) for angle in re.findall(r"ry\((.*?)\)", text)])
    assert len({len(angles) for angles in found}) == 1
    bend = np.diff(np.array(found), 2, axis=0)
    assert np.abs((bend + np.pi) % (2 * np.pi) - np.pi).max() < 0.1


@pytest.mark.parametrize(("family", "n"), [("tfim_chain", 3), ("tfim_chain", 5), ("lih", 4)])
def test_what_is_taught_leaves_room_for_errors(family, n):
    """Half the tolerance, where any number of layers has it."""
    task = get_task("ground_state")
    shares = []
    for seed in range(12):
        instance = task.generate(np.random.default_rng(seed), family=family, num_qubits=n)
        facts = task.facts(instance)
        text = task.worked(instance, decimals=2)
        circuit = task.read_program(text, instance, Limits(max_qubits=n))
        found = task.measure(circuit, facts)
        assert task.success(found)
        shares.append((found.energy - facts.ground.energy) / facts.tolerance)
    assert np.mean([share <= 0.5 for share in shares]) > 0.8


@pytest.mark.parametrize(("name", "family", "n"), [cell for cell in SCRIPTED if cell[2] <= 3])
@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_whatever_is_chosen_is_a_program(name, family, n, seed):
    task, instance, facts = made(name, family, n)
    rng = np.random.default_rng(seed)
    script = task.script(instance, decimals=2)
    text = follow(script, lambda choices: choices[int(rng.integers(len(choices)))])
    circuit = task.read_program(text, instance, Limits(max_qubits=n))
    assert circuit.num_qubits == n
    task.grade(instance, circuit, facts)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8])
def test_random_targets_are_swept_clean(n):
    task = get_task("stabiliser")
    for family in ("state", "clifford"):
        for seed in range(10):
            instance = task.generate(np.random.default_rng(seed), family=family, num_qubits=n)
            facts = task.facts(instance)
            text = task.worked(instance, decimals=2)
            assert text is not None
            circuit = task.read_program(text, instance, Limits(max_qubits=n))
            signals = task.grade(instance, circuit, facts)
            assert signals.success, (family, n, seed)
            assert signals.parts["economy"] >= 0.4


def test_the_plan_says_what_each_gate_leaves():
    target = Target(2, (PauliString.of("+XZ"), PauliString.of("-ZX")))
    text = plan.worked(target)
    lines = [line for line in text.splitlines() if line.startswith("//")]
    assert lines[0] == "// start: + X0 Z1 - Z0 X1"
    rows = Tableau(2, target.stabilisers)
    for line in lines[1:]:
        gate, _, left = line.removeprefix("// ").partition(":")
        name, *wires = gate.split()
        rows.step(name, tuple(map(int, wires)))
        for row in re.findall(r"[+-](?: [XYZ]\d)+", left):
            sign, *letters = row.split()
            words = [string.word(2) for string in rows.strings()]
            assert any(
                word[0] == sign and all(word[1 + int(at)] == letter for letter, at in letters)
                for word in words
            )
    assert lines[-1].endswith(":")  # nothing is left


def test_a_plan_without_end_is_cut_and_still_a_program():
    target = Target(2, (PauliString.of("+XZ"), PauliString.of("+ZX")))
    text = follow(plan.script(target), lambda gates: gates[2])  # x on qubit 0, again and again
    assert text.count("// x 0:") == 2 * (2 + 10)
    assert text.count("x q[0];") == 0  # pairs undo each other


def test_angles_follow_the_hamiltonian_smoothly():
    task = get_task("ground_state")

    def angles(field):
        content = {"parameters": {"coupling": 1.0, "field": field}}
        instance = task.read("tfim_chain", content, num_qubits=4)
        text = task.worked(instance, decimals=2)
        layers = re.search(r"// (\d) layer", text)[1]
        return layers, np.array([float(a) for a in re.findall(r"ry\((.*?)\)", text)])

    found = [angles(field) for field in np.arange(1.0, 1.5, 0.05)]
    for (layers, one), (others, other) in pairwise(found):
        if layers == others:
            turned = (one - other + np.pi) % (2 * np.pi) - np.pi
            assert np.abs(turned).max() < 0.15


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_answers_every_instance(name):
    for family, n in cells(name):
        task, instance, facts = made(name, family, n)
        signals = task.grade(instance, task.rule(instance, facts), facts)
        if name != "ground_state":  # where the angles of another Hamiltonian are seldom enough
            assert signals.success, (family, n)


@pytest.mark.parametrize("name", NAMES)
def test_compact_prompts_say_all(name):
    """Instances that differ are asked for differently, and in pieces of the tokenizer."""
    task = get_task(name)
    for family, n in cells(name):
        prompts = {}
        for seed in range(20):
            instance = task.generate(np.random.default_rng(seed), family=family, num_qubits=n)
            (message,) = task.prompt(instance, style="compact")
            assert prompts.setdefault(message["content"], instance.key) == instance.key


def test_rows_and_letters_are_one_token_each(chat):
    _, instance, _ = made("stabiliser", "state", 3)
    text = get_task("stabiliser").prompt(instance, style="compact")[0]["content"]
    pieces = [chat.tokenizer.decode([i]) for i in chat.tokenizer.encode(text)]
    rows = pieces[pieces.index("Rows:") + 1 :]
    assert all(re.fullmatch(r" [+-]| [XYZ]\d", piece) for piece in rows)


def test_every_angle_is_written_by_the_nearest_text():
    for decimals in (1, 2, 3):
        texts = angle_texts(decimals)
        values = np.array([float(text) for text in texts])
        for angle in np.linspace(-3.14, 3.14, 501):
            text = angle_text(angle, decimals)
            assert text in texts
            assert abs(float(text) - angle) <= np.abs(values - angle).min() + 1e-9


def test_answers_are_scripted_where_prompts_are_compact_and_programs_canonical():
    _, instance, _ = made("stabiliser", "state", 2)
    instance = replace(instance, reference_circuit="OPENQASM 3.0;")
    settings = CONFIG.dataset
    assert is_scripted(instance, settings)
    assert taught_answer(instance, settings).startswith(
        'OPENQASM 3.0;\ninclude "stdgates.inc";\n//'
    )
    for other in ({"style": "published"}, {"prompts": "structured"}):
        told = settings.model_copy(update=other)
        assert not is_scripted(instance, told)
        assert taught_answer(instance, told) == "OPENQASM 3.0;"
    _, state, _ = made("state_preparation", "ghz", 3)
    assert is_scripted(state, settings)
    assert "ry(" not in taught_answer(state, settings)
