"""The rule of turns by itself: no engine, no tokenizer, no Ray; the real verifier."""

import json
from dataclasses import dataclass

import pytest

from quasar.circuits.qasm import read_qasm
from quasar.config import with_overrides
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import build_messages
from quasar.episodes.loop import CallTools, EpisodeLoop, WriteTurns
from quasar.episodes.task import EpisodeTask
from quasar.episodes.tools import BoundTool, VerifyTool, execute, make_tools
from quasar.episodes.turns import WrittenTurn
from quasar.errors import ConfigError
from quasar.policy.engines.protocol import Completion, stream_seed
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.optimiser import OptimisationRequest
from quasar.verification.request import VerificationRequest
from quasar.verification.reward import Failed, Scored, score


@pytest.fixture(scope="module")
def record(tiny_dataset):
    return read_problems(tiny_dataset / "train.jsonl")[0]


@pytest.fixture(scope="module")
def verify(tiny_config):
    return LocalVerifierPool(tiny_config.verification).verify


def worse_than(record):
    circuit = read_qasm(record.problem.reference_circuit)
    return circuit.with_parameters([a + 0.4 for a in circuit.parameters]).to_qasm(decimals=2)


def episodes(config, record, samples, *, tools=None, grade_last=True, **generation):
    config = with_overrides(config, {f"generation.{k}": v for k, v in generation.items()})
    messages = build_messages(record.problem)
    return EpisodeLoop(
        [EpisodeTask(record.problem, messages, 0, s, (5, s)) for s in range(samples)],
        generation=config.generation,
        tools=tools or [VerifyTool(config.reward)],
        grade_last=grade_last,
    )


def write(action, texts, *, tokens=10):
    """A turn of so many tokens for each sample, in the reverse order: any will do."""
    return [
        WrittenTurn(
            r.sample,
            Completion(
                texts[r.sample], (100 * r.turn + r.sample,) * tokens, (-0.5,) * tokens, True
            ),
            prompt_ids=(1, 2),
            read_ids=() if r.observation is None else (7,) * 3,
        )
        for r in reversed(action.requests)
    ]


def drive(loop, verify, *turns, tokens=10):
    """Run to the end; the samples that wrote in each turn."""
    wrote, answer = [], None
    while (action := loop.advance(answer)) is not None:
        if isinstance(action, WriteTurns):
            answer = write(action, turns[len(wrote)], tokens=tokens)
            wrote.append([request.sample for request in action.requests])
        else:
            answer = verify([call.check for call in action.calls])
    return wrote


def test_the_loop_asks_for_turns_and_calls_and_gives_episodes(tiny_config, record, verify):
    good, bad = record.problem.reference_circuit, "no program"
    loop = episodes(
        tiny_config, record, 2, max_turns=2, turn_tokens=40, max_response_tokens=64,
        satisfied_at=1.0,
    )  # fmt: skip
    first = loop.advance()
    assert isinstance(first, WriteTurns)
    assert [r.seed for r in first.requests] == [stream_seed(5, 0), stream_seed(5, 1)]
    assert [r.sampling.max_tokens for r in first.requests] == [40, 40]
    calls = loop.advance(write(first, [bad, good], tokens=30))
    assert isinstance(calls, CallTools)
    assert [(c.sample, c.argument, c.check.diagnose) for c in calls.calls] == [
        (0, bad, True),
        (1, good, True),
    ]
    second = loop.advance(verify([c.check for c in calls.calls]))
    assert [r.seed for r in second.requests] == [stream_seed(5, 0, 1), stream_seed(5, 1, 1)]
    assert [r.sampling.max_tokens for r in second.requests] == [34, 34]  # what is left of 64
    assert second.requests[0].ids == (0,) * 30
    assert second.requests[0].observation.startswith("invalid")
    calls = loop.advance(write(second, [good, good]))
    assert [c.check.diagnose for c in calls.calls] == [False, False]
    assert loop.advance(verify([c.check for c in calls.calls])) is None
    made = loop.episodes(weights_version=4)
    assert [e.sample for e in made] == [0, 1]
    assert made[0].tokens.response_ids.tolist() == [0] * 30 + [7] * 3 + [100] * 10
    assert made[0].tokens.mask.tolist() == [1] * 30 + [0] * 3 + [1] * 10
    assert made[0].turn_rewards[0] < made[0].turn_rewards[1] == made[1].turn_rewards[0]
    assert {e.weights_version for e in made} == {4}


@pytest.mark.parametrize(
    ("texts", "settings", "tokens", "expected"),
    [
        ("bad bad", {"max_turns": 1}, 10, [[0, 1]]),
        ("bad bad", {"max_turns": 3}, 10, [[0, 1], [0, 1], [0, 1]]),
        ("bad good", {"max_turns": 2, "satisfied_at": 0.0}, 10, [[0, 1], [0]]),
        ("bad good", {"max_turns": 2, "satisfied_at": 1.0}, 10, [[0, 1], [0, 1]]),
        ("good good", {"max_turns": 2, "satisfied_at": 0.0}, 10, [[0, 1]]),
        ("bad bad", {"max_turns": 3, "max_response_tokens": 20}, 10, [[0, 1], [0, 1]]),
        ("bad bad", {"max_turns": 3, "max_response_tokens": 20}, 20, [[0, 1]]),
    ],
)
def test_when_a_turn_follows_another(
    tiny_config, record, verify, texts, settings, tokens, expected
):
    words = {"bad": "no program", "good": record.problem.reference_circuit}
    turn = [words[name] for name in texts.split()]
    loop = episodes(tiny_config, record, 2, **settings)
    assert drive(loop, verify, turn, turn, turn, tokens=tokens) == expected


def test_a_fault_of_the_tool_ends_its_episode_alone(tiny_config, record, verify):
    def faulty(checks):
        results = verify(checks)
        return [Failed("timeout", "killed"), *results[1:]] if len(results) == 2 else results

    loop = episodes(tiny_config, record, 2, max_turns=2)
    assert drive(loop, faulty, ["bad", "bad"], ["bad", "bad"]) == [[0, 1], [1]]
    first, second = loop.episodes(weights_version=0)
    assert first.outcome == Failed("timeout", "killed")
    assert isinstance(second.outcome, Scored)


def test_answers_without_grades_leave_the_last_calls_out(tiny_config, record, verify):
    checked = []

    def counted(checks):
        checked.append(len(checks))
        return verify(checks)

    worse, good = worse_than(record), record.problem.reference_circuit
    loop = episodes(tiny_config, record, 1, max_turns=2, satisfied_at=1.0, grade_last=False)
    drive(loop, counted, [worse], [good])
    assert checked == [1]
    assert loop.answers() == [good]
    once = episodes(tiny_config, record, 1, max_turns=1, grade_last=False)
    drive(once, None, [worse])
    assert once.answers() == [worse]


@dataclass(frozen=True)
class CountGates:
    """A second tool, which grades nothing and costs something: it tells how long a circuit is."""

    cost: float
    name: str = "count_gates"
    takes_programs: bool = False
    rewrites: bool = False

    def called_with(self, text):
        try:
            call = json.loads(text)
        except ValueError:
            return None
        return call.get("circuit") if call.get("name") == self.name else None

    def check(self, task, argument, *, may_follow):
        return VerificationRequest(task.problem, argument)

    def submitted(self, argument, result):
        raise AssertionError("nothing is submitted to it")

    def observation(self, task, result, *, max_chars):
        return f"{result.num_gates} gates"[:max_chars]

    def grade(self, result):
        return None

    def charged(self, scored, *, num_calls):
        weighted = {**scored.weighted, self.name: -self.cost * num_calls}
        return Scored(sum(weighted.values()), scored.parts, weighted)


def test_a_second_tool_is_one_more_of_a_list_with_a_cost_of_its_own(tiny_config, record, verify):
    good = record.problem.reference_circuit
    tools = [VerifyTool(tiny_config.reward), CountGates(cost=0.125)]
    batches = {tool.name: [] for tool in tools}

    def bound(tool):
        def run(checks):
            batches[tool.name].append(len(checks))
            return verify(checks)

        return BoundTool(tool, run)

    loop = episodes(
        tiny_config, record, 2, tools=tools, max_turns=2, satisfied_at=0.0, max_response_tokens=200
    )
    count = json.dumps({"name": "count_gates", "circuit": good})
    answer, wrote = None, []
    while (action := loop.advance(answer)) is not None:
        if isinstance(action, WriteTurns):
            wrote.append([r.observation for r in action.requests])
            answer = write(action, [[count, "no program"], [good, good]][len(wrote) - 1])
        else:
            answer = execute(action.calls, [bound(tool) for tool in tools])
    assert batches == {"verify_circuit": [1, 2], "count_gates": [1]}
    (report,) = verify([VerificationRequest(record.problem, good)])
    assert wrote[1][0] == f"{report.num_gates} gates"
    assert wrote[1][1].startswith("invalid")
    first, second = loop.episodes(weights_version=0)
    assert len(first.turn_rewards) == 1
    assert first.outcome.value == pytest.approx(first.turn_rewards[0] - 0.125)
    assert second.outcome.weighted["count_gates"] == 0.0
    assert loop.answers() == [good, good]


def turned(record, by=0.4):
    circuit = read_qasm(record.problem.reference_circuit)
    return circuit.with_parameters([a + by for a in circuit.parameters]).to_qasm()


def optimising(config, record, samples, *, cost=0.125, grade_last=True, **generation):
    config = with_overrides(
        config, {"reward.optimise_cost": cost, "generation.tools": ["verify", "optimise"]}
    )
    tools = make_tools(config.reward, config.generation)
    return episodes(
        config, record, samples, tools=tools, grade_last=grade_last, satisfied_at=1.0, **generation
    )


def test_the_optimise_tool_is_applied_once_to_each_turns_program_and_each_call_costs(
    tiny_config, record, verify
):
    asked = []

    def counted(checks):
        asked.append([(type(check), check.evaluations) for check in checks])
        return verify(checks)

    rough, settings = turned(record), {"max_response_tokens": 200}
    loop = optimising(tiny_config, record, 2, max_turns=2, **settings)
    drive(loop, counted, [rough, "no program"], [rough, rough])
    assert asked == [[(OptimisationRequest, 50)] * 2] * 2
    (alone,) = verify([VerificationRequest(record.problem, rough)])
    (optimised,) = verify([OptimisationRequest(record.problem, rough)])
    better = score(optimised, tiny_config.reward).value
    assert better > score(alone, tiny_config.reward).value
    first, second = loop.episodes(weights_version=0)
    assert first.turn_rewards == (better, better)
    assert second.turn_rewards[0] == -tiny_config.reward.weights.syntax
    for episode in (first, second):
        assert episode.outcome.parts["optimise_calls"] == 2.0
        assert episode.outcome.weighted["optimise_calls"] == -0.25
        assert "further_calls" not in episode.outcome.weighted
        assert episode.outcome.value == pytest.approx(better - 0.25)
        assert episode.report.optimised.evaluations <= 50
    assert first.observations[0].startswith("optimised: energy ")
    assert first.texts == (rough, rough)  # what is trained on is what was written
    assert loop.answers() == [optimised.optimised.program] * 2


def test_answers_without_grades_are_optimised_all_the_same(tiny_config, record, verify):
    rough, good = turned(record), "no program"
    loop = optimising(tiny_config, record, 2, max_turns=1, grade_last=False)
    drive(loop, verify, [rough, good])
    first, second = loop.answers()
    (report,) = verify([OptimisationRequest(record.problem, rough)])
    assert first == report.optimised.program != rough
    assert second == good


def test_a_fault_of_the_optimise_tool_leaves_the_text_as_the_answer(tiny_config, record):
    loop = optimising(tiny_config, record, 1, max_turns=1, grade_last=False)
    drive(loop, lambda checks: [Failed("timeout", "killed")], [turned(record)])
    assert loop.answers() == [turned(record)]
    (episode,) = loop.episodes(weights_version=0)
    assert episode.outcome == Failed("timeout", "killed")


def test_the_template_calls_the_optimise_tool_by_name_and_a_final_answer_keeps_its_result(
    tiny_config, record, verify
):
    rough = turned(record)
    call = json.dumps({"name": "optimise_circuit", "arguments": {"circuit": rough}})
    settings = {"tool_format": "chat_template", "max_turns": 3, "max_response_tokens": 200}
    loop = optimising(tiny_config, record, 3, **settings)
    wrote = drive(
        loop,
        verify,
        [f"<tool_call>{call}</tool_call>", rough, f"<tool_call>{call}</tool_call>"],
        ["that is it", rough, rough],
    )
    assert wrote == [[0, 1, 2], [0, 2]]  # a program without a call is a final answer
    kept, plain, back = loop.episodes(weights_version=0)
    assert kept.outcome.weighted["optimise_calls"] == -0.125
    assert kept.report.optimised.improved
    assert plain.report.optimised is back.report.optimised is None
    assert plain.outcome.value == back.outcome.value + 0.125
    assert kept.outcome.value + 0.125 == kept.turn_rewards[-1] > plain.outcome.value
    assert loop.answers() == [kept.report.optimised.program, rough, rough]


def test_under_the_grammar_a_turn_is_a_program_and_is_optimised(tiny_config, record, verify):
    settings = {"tool_format": "chat_template", "constrained": True, "max_turns": 1}
    loop = optimising(tiny_config, record, 1, **settings)
    drive(loop, verify, [turned(record)])
    (episode,) = loop.episodes(weights_version=0)
    assert episode.report.optimised.improved


def test_tools_are_named_once_and_the_one_that_grades_is_among_them(tiny_config):
    def tools(*names):
        return with_overrides(tiny_config, {"generation.tools": names}).generation.tools

    assert tools("optimise", "verify") == ("verify", "optimise")
    for names, said in (
        (["optimise"], "verify must be among the tools"),
        (["verify", "verify"], "each tool once"),
        (["verify", "polish"], "must be 'verify' or 'optimise', not 'polish'"),
    ):
        with pytest.raises(ConfigError, match=said):
            tools(*names)
