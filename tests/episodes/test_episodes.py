"""Episodes with the real verifier: what is trained on, what is only read, what is graded."""

import json
from dataclasses import replace

import pytest

from quasar.circuits.qasm import read_qasm
from quasar.config import with_overrides
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import build_messages
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.errors import InputError
from quasar.policy.chat import ChatFormat
from quasar.policy.engines.protocol import Completion
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.reward import Failed, Scored


@pytest.fixture(scope="module")
def generator(tiny_policy):
    return CircuitGenerator.load(tiny_policy, device="cpu")


@pytest.fixture(scope="module")
def records(tiny_dataset):
    return read_problems(tiny_dataset / "train.jsonl")


@pytest.fixture(scope="module")
def verify(tiny_config):
    return LocalVerifierPool(tiny_config.verification, "hierarchical").verify


def task(record, sample=0):
    return EpisodeTask(record.problem, build_messages(record.problem), 0, sample, (sample,))


def loop(generator, tool, config, **overrides):
    config = with_overrides(config, {f"generation.{k}": v for k, v in overrides.items()})
    return EpisodeRunner(
        generator, verifying(tool, config.reward, config.generation), generation=config.generation
    )


class Scripted(CircuitGenerator):
    """A generator that writes given answers, in turn, through the real tokenizer."""

    def __init__(self, generator, answers):
        super().__init__(generator.model, generator.tokenizer)
        self.answers = iter(answers)
        self.seen = []

    def session(self, *, weights_version=0):
        self.seen.append([])
        return ScriptedSession(self)


class ScriptedSession:
    """Each sequence gets the next answer, in one step."""

    def __init__(self, generator):
        self.generator = generator
        self.waiting = {}

    @property
    def busy(self):
        return bool(self.waiting)

    def add(self, key, request):
        self.waiting[key] = next(self.generator.answers)
        self.generator.seen[-1].append(list(request.prompt_ids))

    def step(self):
        done = {}
        for key, text in self.waiting.items():
            ids = tuple(self.generator.chat.answer_ids(text))
            done[key] = Completion(text, ids, (-0.5,) * len(ids), True)
        self.waiting = {}
        return done


def test_one_turn_is_sampled_verified_and_graded(generator, records, verify, tiny_config):
    tasks = [task(records[0], sample) for sample in range(4)]
    episodes = loop(generator, verify, tiny_config).run(tasks, weights_version=3)
    assert [e.sample for e in episodes] == [0, 1, 2, 3]
    for e in episodes:
        assert e.weights_version == 3
        assert e.tokens.mask.all()
        assert len(e.tokens.response_ids) == len(e.tokens.log_probs) == len(e.tokens.mask)
        assert isinstance(e.outcome, Scored)
        assert (
            generator.tokenizer.decode(e.tokens.response_ids, skip_special_tokens=True)
            == e.texts[0]
        )


def test_a_second_turn_reads_the_observation_without_training_on_it(
    generator, records, verify, tiny_config
):
    broken, good = "not a circuit", records[0].problem.reference_circuit
    scripted = Scripted(generator, [broken, good])
    agent = loop(scripted, verify, tiny_config, max_turns=2, max_response_tokens=400)
    (episode,) = agent.run([task(records[0])], weights_version=0)
    assert episode.texts == (broken, good)
    assert len(episode.observations) == 1
    assert episode.outcome.parts["syntax"] == 1.0  # the last turn is graded
    first, second = scripted.seen
    assert second[0][: len(first[0])] == first[0]  # the buffer only grew
    sampled = [*scripted.chat.answer_ids(broken), *scripted.chat.answer_ids(good)]
    assert episode.tokens.response_ids[episode.tokens.mask == 1].tolist() == sampled
    assert (episode.tokens.log_probs[episode.tokens.mask == 0] == 0).all()
    assert second[0] == [*first[0], *episode.tokens.response_ids[: len(second[0]) - len(first[0])]]


def test_only_a_turn_that_may_be_followed_is_told_what_to_mend(
    generator, records, verify, tiny_config
):
    circuit = read_qasm(records[0].problem.reference_circuit)
    worse = circuit.with_parameters([a + 0.4 for a in circuit.parameters]).to_qasm(decimals=2)
    asked = []

    def tool(checks):
        asked.append([check.diagnose for check in checks])
        return verify(checks)

    for turns, expected in ((1, [[False]]), (2, [[True], [False]])):
        asked.clear()
        agent = loop(
            Scripted(generator, [worse] * turns),
            tool,
            tiny_config,
            max_turns=turns,
            max_response_tokens=800,
        )
        (episode,) = agent.run([task(records[0])], weights_version=0)
        assert asked == expected
        assert [("angles to move" in text) for text in episode.observations] == [True] * (turns - 1)


def test_text_that_claims_a_reward_earns_the_floor(generator, records, verify, tiny_config):
    scripted = Scripted(generator, ["Reward: 99\nThe circuit is perfect."])
    (episode,) = loop(scripted, verify, tiny_config).run([task(records[0])], weights_version=0)
    assert episode.outcome.value == -tiny_config.reward.weights.syntax


def test_a_fault_of_the_tool_is_kept_as_a_fault(generator, records, tiny_config):
    def broken_tool(checks):
        return [Failed("timeout", "killed after 1 s") for _ in checks]

    agent = loop(generator, broken_tool, tiny_config, max_turns=2)
    (episode,) = agent.run([task(records[0])], weights_version=0)
    assert episode.outcome == Failed("timeout", "killed after 1 s")
    assert episode.report is None
    assert not episode.observations


def test_a_prompt_over_the_limit_is_refused(generator, records, verify, tiny_config):
    long = replace(task(records[0]), messages=[{"role": "user", "content": "0 " * 400}])
    with pytest.raises(InputError, match="max_prompt_tokens"):
        loop(generator, verify, tiny_config).run([long], weights_version=0)


def worse_than(record, turn=0.4):
    circuit = read_qasm(record.problem.reference_circuit)
    return circuit.with_parameters([a + turn for a in circuit.parameters]).to_qasm(decimals=2)


def test_rewards_of_the_turns_are_kept_and_further_calls_cost(
    generator, records, verify, tiny_config
):
    good = records[0].problem.reference_circuit
    answers = ["not a circuit", worse_than(records[0]), good]
    config = with_overrides(tiny_config, {"reward.call_cost": 0.05})
    agent = loop(Scripted(generator, answers), verify, config, max_turns=3, max_response_tokens=900)
    (episode,) = agent.run([task(records[0])], weights_version=0)
    alone = [
        loop(Scripted(generator, [a]), verify, config).run([task(records[0])], weights_version=0)[0]
        for a in answers
    ]
    assert episode.num_calls == 3
    assert episode.turn_rewards == tuple(e.outcome.value for e in alone)
    assert episode.improvement == alone[2].outcome.value - alone[0].outcome.value > 0
    assert episode.outcome.value == pytest.approx(alone[2].outcome.value - 2 * 0.05)
    assert episode.outcome.weighted["further_calls"] == pytest.approx(-0.1)
    assert sum(episode.outcome.weighted.values()) == pytest.approx(episode.outcome.value)
    assert alone[0].improvement == 0.0


@pytest.mark.parametrize(("satisfied_at", "turns"), [(0.0, 1), (1.0, 2)])
def test_a_circuit_that_is_good_enough_ends_the_rollout(
    generator, records, verify, tiny_config, satisfied_at, turns
):
    good = records[0].problem.reference_circuit
    agent = loop(
        Scripted(generator, [good, good]),
        verify,
        tiny_config,
        max_turns=2,
        max_response_tokens=400,
        satisfied_at=satisfied_at,
    )
    (episode,) = agent.run([task(records[0])], weights_version=0)
    assert len(episode.texts) == turns


def test_a_turn_that_is_cut_at_its_own_budget_may_be_followed(
    generator, records, verify, tiny_config
):
    agent = loop(
        generator, verify, tiny_config, max_turns=3, turn_tokens=20, max_response_tokens=50
    )
    episodes = agent.run([task(r) for r in records[:4]], weights_version=0)
    eos = generator.chat.eos_id
    for e in episodes:
        runs = turns_of(e)
        assert len(runs) == len(e.texts)
        assert all(len(run) <= 20 for run in runs)
        assert sum(map(len, runs)) <= 50
        assert (e.tokens.log_probs[e.tokens.mask == 0] == 0).all()
        # what closes a cut turn is read, not trained on: each turn has one end-of-turn token
        for before, after in zip(*boundaries(e), strict=True):
            between = e.tokens.response_ids[before:after].tolist()
            assert between[0] == eos or e.tokens.response_ids[before - 1] == eos
            assert not (between[0] == eos and e.tokens.response_ids[before - 1] == eos)
    assert any(len(e.texts) == 3 for e in episodes)


def boundaries(episode):
    """Where observations start and where they end."""
    change = [
        i
        for i in range(1, len(episode.tokens.mask))
        if episode.tokens.mask[i] != episode.tokens.mask[i - 1]
    ]
    return change[0::2], change[1::2]


def turns_of(episode):
    starts, ends = boundaries(episode)
    edges = [0, *ends], [*starts, len(episode.tokens.mask)]
    return [episode.tokens.response_ids[a:b] for a, b in zip(*edges, strict=True)]


def test_constrained_turns_are_programs_and_their_legal_sets_travel(
    generator, records, verify, tiny_config
):
    agent = loop(
        generator,
        verify,
        tiny_config,
        constrained=True,
        stop_at_program_end=True,
        max_turns=2,
        turn_tokens=60,
        max_response_tokens=120,
        max_observation_tokens=64,
        satisfied_at=1.0,
    )
    episodes = agent.run([task(r) for r in records[:6]], weights_version=0)
    assert any(e.num_calls == 2 for e in episodes)
    for e in episodes:
        assert e.report.valid
        assert e.finished
        assert all(read_qasm(text).num_qubits == e.num_qubits for text in e.texts)
        assert ((e.tokens.legal.index < 0) == (e.tokens.mask == 0)).all()
        for token, place in zip(e.tokens.response_ids, e.tokens.legal.index, strict=True):
            assert place < 0 or token in e.tokens.legal.sets[place]


def test_tool_calls_of_the_template_and_a_final_answer(
    generator, tool_tokenizer, records, verify, tiny_config
):
    good, worse = records[0].problem.reference_circuit, worse_than(records[0])

    def called(circuit):
        body = {"name": "verify_circuit", "arguments": {"circuit": circuit}}
        return f"<tool_call>\n{json.dumps(body)}\n</tool_call>"

    def run(*answers, **overrides):
        scripted = Scripted(generator, answers)
        scripted.chat = ChatFormat(tool_tokenizer, tool_format="chat_template")
        overrides = {
            "max_turns": 4,
            "max_response_tokens": 2000,
            "max_prompt_tokens": 900,
        } | overrides
        agent = loop(scripted, verify, tiny_config, tool_format="chat_template", **overrides)
        (episode,) = agent.run([task(records[0])], weights_version=0)
        return episode

    talked = run(called(worse), called(good), "The last circuit is the answer.", satisfied_at=1.0)
    assert talked.num_calls == 2  # words without a program call nothing
    assert len(talked.texts) == 3
    assert len(talked.observations) == 2
    assert talked.turn_rewards[1] > talked.turn_rewards[0]
    assert talked.report.valid

    answered = run(called(worse), "So:\n" + good, satisfied_at=1.0)
    assert answered.turn_rewards == talked.turn_rewards  # the final answer's program is graded
    at_once = run("It is done, reward 1.0")
    assert len(at_once.texts) == 1  # an answer without a call ends the rollout
    assert at_once.outcome.value == -tiny_config.reward.weights.syntax
    assert "<tool_response>" in tool_tokenizer.decode(talked.tokens.response_ids)
