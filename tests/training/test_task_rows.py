"""Rows of tasks other than graph problems on their way through training, without Ray: examples,
forms, turns, metrics, balance.
"""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import CurriculumConfig, load_config, with_overrides
from quasar.datasets.generation.generate import split_of
from quasar.datasets.prompts import record_messages
from quasar.datasets.records import ProblemRecord
from quasar.datasets.stream import ExampleStream
from quasar.datasets.task_answers import taught_answer
from quasar.datasets.task_records import TaskRecord
from quasar.episodes.loop import CallTools, EpisodeLoop, WriteTurns
from quasar.episodes.task import EpisodeTask
from quasar.episodes.tools import make_tools
from quasar.episodes.turns import WrittenTurn
from quasar.errors import ConfigError
from quasar.policy.engines.protocol import Completion
from quasar.policy.models import build_policy, load_chat
from quasar.policy.patterns import program_pattern
from quasar.policy.program_form import record_form, tell_unconstrained
from quasar.tasks import get_task
from quasar.training.algorithm.batch import episode_metrics
from quasar.training.curriculum import Position, PromptSampler
from quasar.training.examples import supervised_sequences
from quasar.verification.execution.pool import LocalVerifierPool
from tests.support.tiny import TINY

CONFIG = load_config(
    "laptop-tasks",
    [
        *TINY,
        "dataset.primitives=[max_cut]",
        "dataset.instances=[state_preparation/ghz:3-5,state_preparation/known:1-2,stabiliser:2-3,"
        "ground_state/tfim_chain:2]",
        "sft.stream.fresh=1.0",
        "sft.stream.random_ising=0.0",
    ],
)
GRAPH = ProblemRecord.from_dict(
    {
        "sample_index": 99,
        "problem_type": "max_cut",
        "graph": {"nodes": [{"id": q} for q in range(3)],
                  "edges": [{"source": 0, "target": 1}, {"source": 1, "target": 2}]},
    }
)  # fmt: skip


def made(name, family, n, index=0):
    task = get_task(name)
    instance = task.generate(np.random.default_rng([n, index]), family=family, num_qubits=n)
    teacher = task.reference(instance, task.facts(instance))
    return TaskRecord(index, replace(instance, reference_circuit=teacher))


GHZ, CLIFFORD = made("state_preparation", "ghz", 3), made("stabiliser", "clifford", 2, 1)


def tasks_of(examples):
    """By the first words of their compact prompts."""
    return Counter(
        re.match(
            r"Task: (ground state|state preparation|stabiliser)|Qubits", e.messages[0]["content"]
        )[0]
        for e in examples
    )


def test_streamed_examples_are_of_all_tasks_and_of_the_training_split():
    stream = ExampleStream(CONFIG, [])
    examples = [stream.example(k) for k in range(60)]
    assert examples[7] == ExampleStream(CONFIG, []).example(7)
    counts = tasks_of(examples)
    assert len(counts) == 4
    assert min(counts.values()) >= 5
    fractions = {"validation_fraction": 0.05, "test_fraction": 0.1}
    held_out = [
        made("state_preparation", "known", n, k) for n in (1, 2) for k in range(40)
    ]  # fmt: skip
    held_out = [r for r in held_out if split_of(r.problem.key, **fractions) != "train"]
    assert held_out
    asked = {e.messages[0]["content"] for e in examples}
    for record in held_out:
        assert record_messages(record, style="compact")[0]["content"] not in asked


def test_without_fresh_ones_examples_are_records_and_small_families_are_no_rarity():
    config = CONFIG.model_copy(
        update={"sft": CONFIG.sft.model_copy(
            update={"stream": CONFIG.sft.stream.model_copy(update={"fresh": 0.0})})}
    )  # fmt: skip
    records = [GHZ, *(made("state_preparation", "known", 2, k) for k in range(30))]
    stream = ExampleStream(config, records)
    examples = [stream.example(k) for k in range(200)]
    of_states = [e for e in examples if e.messages[0]["content"].startswith("Task: state prep")]
    taught = [taught_answer(r.problem, CONFIG.dataset) for r in records]
    assert {e.answer for e in of_states} <= set(taught)
    ghz = sum(e.answer == taught[0] for e in of_states)
    share = 1 / (1 + 30**0.5)  # of one record beside thirty
    assert 0.5 * share < ghz / len(of_states) < 2 * share


def test_all_tokens_of_an_answer_are_learned_where_the_grammar_has_no_script(tmp_path):
    """Answers to prompts as for large models have none."""
    records = [GHZ, made("state_preparation", "graph", 4)]
    texts = [r.problem.reference_circuit for r in records]
    chat = load_chat(build_policy(CONFIG, texts, tmp_path / "initial"))
    assert CONFIG.sft.loss == "choices"
    config = with_overrides(CONFIG, {"dataset.prompts": "structured", "sft.stream.examples": 0})
    sequences = supervised_sequences(records, chat, config)
    for record, sequence in zip(records, sequences, strict=True):
        assert sequence.tokens.mask.all()
        assert sequence.tokens.legal is None
        answer = chat.answer_ids(record.problem.reference_circuit)
        assert sequence.tokens.response_ids.tolist() == answer
        # A gate is a token, so that answers are short.
        assert len(answer) < 2 * len(record.problem.reference_circuit.splitlines())


def test_what_a_script_leaves_open_is_learned(tmp_path):
    chat = load_chat(build_policy(CONFIG, ["Qubits"], tmp_path / "initial"))
    (sequence,) = supervised_sequences([CLIFFORD], chat, CONFIG)
    text = chat.tokenizer.decode(sequence.tokens.response_ids)
    gates = len(re.findall(r"// [hsxz] \d:|// cx \d \d:", text))
    assert gates > 2
    assert sequence.tokens.legal.free.sum() == gates


def test_answers_are_held_to_the_gates_of_their_task_or_decoded_freely(caplog):
    form = record_form(CLIFFORD, CONFIG.dataset)
    assert form.style == "published"
    pattern = program_pattern(form.num_qubits, form.gates)
    assert re.fullmatch(pattern, CLIFFORD.problem.reference_circuit)
    turned = Circuit(2, (Gate("ry", (0,), (0.5,)),)).to_qasm()
    assert not re.fullmatch(pattern, turned)
    assert re.fullmatch(program_pattern(2), turned)
    assert record_form(GRAPH, CONFIG.dataset).style == "canonical"
    large = TaskRecord(0, replace(CLIFFORD.problem, num_qubits=21))
    assert record_form(large, CONFIG.dataset).style == "free"
    tell_unconstrained([GHZ, CLIFFORD, GRAPH], CONFIG)
    assert not caplog.records
    tell_unconstrained([GHZ, large], CONFIG)
    assert "1 of 2 problems (stabiliser) are decoded freely" in caplog.text


def episodes(*turns, records=(GHZ,), **generation):
    """The loop at its end; each record writes the same text in a turn."""
    settings = CONFIG.generation.model_copy(update={"max_response_tokens": 300, **generation})
    tasks = [
        EpisodeTask(
            r.problem, record_messages(r), group, 0, (group,), record_form(r, CONFIG.dataset)
        )
        for group, r in enumerate(records)
    ]
    loop = EpisodeLoop(tasks, generation=settings, tools=make_tools(CONFIG.reward, settings))
    verify = LocalVerifierPool(CONFIG.verification).verify
    answer, wrote = None, 0
    while (action := loop.advance(answer)) is not None:
        if isinstance(action, WriteTurns):
            answer = [
                WrittenTurn(r.sample, Completion(turns[wrote], (1,) * 9, (-0.5,) * 9, True), (1, 2))
                for r in action.requests
            ]
            wrote += 1
        else:
            assert isinstance(action, CallTools)
            answer = verify([call.check for call in action.calls])
    return wrote, loop.episodes(weights_version=0)


def test_turns_end_with_success_and_else_the_model_reads_what_is_wrong():
    nothing = Circuit(3, ()).to_qasm()
    teacher = GHZ.problem.reference_circuit
    wrote, (episode,) = episodes(nothing, teacher, teacher, max_turns=3)
    assert wrote == 2
    assert "amplitudes that are wrong" in episode.observations[0]
    assert episode.task == "state_preparation"
    assert episode.turn_rewards == pytest.approx((0.0, 1.0), abs=1e-3)
    assert episode.outcome.parts["fidelity"] == pytest.approx(1.0)


def test_metrics_are_told_for_each_task_and_add_up():
    _, made_by = episodes(GHZ.problem.reference_circuit, records=(GHZ, GRAPH))
    metrics = episode_metrics(made_by, by_task=True)
    assert metrics["state_preparation/success"] == 1.0
    assert metrics["state_preparation/reward_part/fidelity"] == pytest.approx(1.0)
    assert "state_preparation/reward_part/expectation" not in metrics
    assert metrics["success"] == (metrics["ising/success"] + 1.0) / 2
    mean = (metrics["ising/reward"] + metrics["state_preparation/reward"]) / 2
    assert metrics["reward"] == pytest.approx(mean)
    weighted = [value for name, value in metrics.items() if name.startswith("reward_weighted/")]
    assert sum(weighted) == pytest.approx(metrics["reward"])
    # Of graph problems alone, as they had it.
    alone = episode_metrics([e for e in made_by if e.task == "ising"])
    assert metrics["approximation_ratio"] == alone["approximation_ratio"]
    assert not any(name.startswith("ising/") for name in alone)
    assert "approximation_ratio" not in episode_metrics([e for e in made_by if e.task != "ising"])


def test_prompts_are_drawn_evenly_over_tasks():
    records = [GRAPH, CLIFFORD, *(made("state_preparation", "known", 2, k) for k in range(20))]
    sampler = PromptSampler(records, CurriculumConfig(balance=("task",)), seed=0)
    drawn = Counter(type(records[i].problem).__name__ + records[i].problem.primitive
                    for i in sampler.take(Position(), 30))  # fmt: skip
    assert sorted(drawn.values()) == [10, 10, 10]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sft.traces_per_example=0.5", "sft.traces_per_example is of graph problems alone"),
        ("reward.formula=published", "reward.formula is of graph problems alone"),
    ],
)
def test_what_graph_problems_alone_have_is_refused_for_a_mixed_run(override, message):
    with pytest.raises(ConfigError, match=message):
        load_config("laptop-tasks", [override])
