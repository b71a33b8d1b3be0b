"""The agent loop with the real verifier: what is trained on, what is only read, what is graded."""

from dataclasses import replace

import pytest

from quasar.circuits.qasm import read_qasm
from quasar.config import with_overrides
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import build_messages
from quasar.policy.agent import AgentLoop, Task
from quasar.policy.engine import Completion
from quasar.policy.generation import CircuitGenerator
from quasar.rewards import Failed, Scored
from quasar.verification.pool import LocalVerifierPool


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
    return Task(record.problem, build_messages(record.problem), 0, sample, seed=sample)


def loop(generator, tool, config, **overrides):
    config = with_overrides(config, {f"generation.{k}": v for k, v in overrides.items()})
    return AgentLoop(generator, tool, config=config.generation, reward=config.reward)


class Scripted(CircuitGenerator):
    """A generator that writes given answers, in turn, through the real tokenizer."""

    def __init__(self, generator, answers):
        super().__init__(generator.model, generator.tokenizer)
        self.answers = iter(answers)
        self.seen = []

    def sample(self, prompt_ids, **kwargs):
        self.seen.append([list(p) for p in prompt_ids])
        done = []
        for _ in prompt_ids:
            text = next(self.answers)
            ids = tuple(self.chat.answer_ids(text))
            done.append(Completion(text, ids, (-0.5,) * len(ids), True))
        return done


def test_one_turn_is_sampled_verified_and_graded(generator, records, verify, tiny_config):
    tasks = [task(records[0], sample) for sample in range(4)]
    episodes = loop(generator, verify, tiny_config).run(tasks, weights_version=3)
    assert [e.sample for e in episodes] == [0, 1, 2, 3]
    for e in episodes:
        assert e.weights_version == 3
        assert e.mask.all()
        assert len(e.response_ids) == len(e.log_probs) == len(e.mask)
        assert isinstance(e.outcome, Scored)
        assert generator.tokenizer.decode(e.response_ids, skip_special_tokens=True) == e.texts[0]


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
    assert episode.response_ids[episode.mask == 1].tolist() == sampled
    assert (episode.log_probs[episode.mask == 0] == 0).all()
    assert second[0] == [*first[0], *episode.response_ids[: len(second[0]) - len(first[0])]]


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
    with pytest.raises(ValueError, match="max_prompt_tokens"):
        loop(generator, verify, tiny_config).run([long], weights_version=0)
