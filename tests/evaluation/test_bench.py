"""`quasar bench`: sets that do not change, rows of any model, results that can be checked."""

import json

import pytest

from quasar.cli.main import main
from quasar.config import load_config, with_overrides
from quasar.config.task_names import task_names
from quasar.datasets.io import read_problems, write_problems
from quasar.episodes.answers import answer_tasks
from quasar.errors import EngineError, InputError
from quasar.evaluation.bench import sets
from quasar.evaluation.bench.baselines import NO_SKILL, baseline_answers
from quasar.evaluation.bench.models import (
    BaselineAnswerer,
    CheckpointAnswerer,
    EndpointAnswerer,
)
from quasar.evaluation.bench.result import read_result
from quasar.evaluation.bench.run import check_result, chosen_sets, run_bench
from quasar.evaluation.summary import FORMULA, GUESSING
from tests.episodes.test_remote import Model, completion
from tests.serving.endpoint import running

SMALL = (
    sets.SetPlan("ising", 1, ("max_cut", "qubo"), (3,), 1),
    sets.SetPlan("stabiliser", 1, ("graph", "state"), (3,), 1),
    sets.SetPlan("state_preparation", 1, ("ghz", "w"), (3,), 1),
    sets.SetPlan("ground_state", 1, ("tfim_chain",), (2,), 1),
)


@pytest.fixture
def small(monkeypatch):
    """The sets, cut down to one or two problems each."""
    monkeypatch.setattr(sets, "_PLANS", SMALL)


@pytest.fixture(scope="module")
def config():
    return load_config("remote")


def bench(output, config, *names, name=GUESSING, **options):
    return run_bench(
        BaselineAnswerer(name, config),
        chosen_sets(names or ["ising-v1"], None),
        samples=1,
        output=output,
        config=config,
        progress=False,
        **options,
    )


def test_every_task_has_a_set_that_is_as_it_was():
    assert {plan.task for plan in sets._plans()} == set(task_names())
    for name in ("ising-v1", "state_preparation-v1", "stabiliser-v1"):
        made = sets.make_set(name)  # refuses another digest than the one written down
        keys = [record.problem.key for record in made.records]
        assert len(set(keys)) == len(keys) >= 40
        assert [record.sample_index for record in made.records] == list(range(len(keys)))


def test_other_problems_than_those_of_the_digest_are_refused(monkeypatch):
    plan = sets.SetPlan("stabiliser", 1, ("graph",), (3,), 1, "0" * 16)
    monkeypatch.setattr(sets, "_PLANS", (plan,))
    with pytest.raises(InputError, match=r"stabiliser-v1: this environment draws other problems"):
        sets.make_set("stabiliser-v1")
    with pytest.raises(InputError, match=r"there is no set 'stabilizer-v1'; there are: stabiliser"):
        sets.make_set("stabilizer-v1")


def test_references_are_right_and_answers_without_skill_earn_nothing(small, config, tmp_path):
    result = bench(tmp_path / "r.json", config, "ising-v1", "stabiliser-v1")
    for entry in result.sets:
        best = entry.baselines["references"].figures
        assert best["success"].value == 1.0, entry.set
        assert (best["reward"].value or 0.0) > 0.9, entry.set
        for name in {GUESSING, NO_SKILL} & entry.baselines.keys():
            row = entry.baselines[name].figures
            assert row["success"].value == 0.0, (entry.set, name)
            assert row["reward"].value == pytest.approx(0.0, abs=1e-6), (entry.set, name)
    formula = result.sets[0].baselines[FORMULA].figures["approximation_ratio"]
    assert (formula.value or 0.0) > 0.6
    assert check_result(tmp_path / "r.json", progress=False) == result


@pytest.fixture(scope="module")
def honest(config, tmp_path_factory):
    """The text of a result on a small set."""
    path = tmp_path_factory.mktemp("honest") / "r.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sets, "_PLANS", SMALL)
        bench(path, config, baselines=[GUESSING])
    return path.read_text()


def _further(entry):
    entry["row"]["figures"]["better"] = dict(entry["row"]["figures"]["reward"])


def _figure(name, field="value", value=0.9):
    def change(entry):
        entry["row"]["figures"][name][field] = value

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_figure("success"), r"ising-v1: the model's row: success is 0\.9, its answers give 0\.0"),
        (_figure("reward", "high"), r"the model's row: reward \(high\) is 0\.9"),
        (_further, "better is not a figure of this set"),
        (lambda e: e["answers"].update({"0": ["no"]}), r"valid is 1\.0, its answers give 0\.5"),
        (lambda e: e["answers"].pop("1"), "the model's row: "),
        (lambda e: e["answers"].update({"7": ["x"]}), "has no problem 7"),
        (lambda e: e["answers"].update({"0": ["x", "x"]}), "2 answers to sample_index 0, not 1"),
        (lambda e: e.update(digest="0" * 16), r"its digest is 0000000000000000, that of the set"),
        (lambda e: e.update(num_problems=3), "its num_problems is 3"),
        (lambda e: e.update(set="other-v1"), "there is no set 'other-v1'"),
        (lambda e: e.update(note="x"), "not a result of quasar bench: .*note"),
        (lambda e: e.update(as_published={"I": {"scr": 1.0}}), "as_published is not as published"),
        (
            lambda e: e["baselines"][GUESSING]["figures"]["success"].update(value=-1.0),
            "baseline 'H on every qubit': success is -1.0",
        ),
    ],
)
def test_a_forged_result_is_refused_by_name(change, told, small, honest, tmp_path):
    path = tmp_path / "r.json"
    content = json.loads(honest)
    change(content["sets"][0])
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=told):
        check_result(path, progress=False)


def test_a_model_behind_a_server_gets_its_row_on_every_task(small, config, tmp_path):
    chosen = chosen_sets(sets.set_names(), None)
    answers = {}
    for problems in chosen:
        references = baseline_answers("references", problems)
        tasks = answer_tasks(problems.records, samples=1, config=config)
        for task, (text,) in zip(tasks, references, strict=True):
            answers[task.messages[-1]["content"]] = text
    fails = [True]

    def reply(body):
        asked = body["messages"][-1]["content"]
        if fails[0] and asked == list(answers)[3]:
            return b"{}"
        return completion(answers[asked])

    with running(Model(reply)) as (host, port):
        remote = {
            "remote.url": f"http://{host}:{port}", "remote.model": "m", "remote.max_retries": 0,
            "remote.input_price": 1.0, "remote.output_price": 2.0,
        }  # fmt: skip
        settings = with_overrides(config, remote)

        def run():
            answerer = EndpointAnswerer(settings)
            try:
                return run_bench(
                    answerer, chosen, samples=1, output=tmp_path / "r.json", config=settings,
                    baselines=[], progress=False,
                )  # fmt: skip
            finally:
                answerer.close()

        with pytest.raises(EngineError, match="kept in"):
            run()
        fails[0] = False
        result = run()
    assert [entry.row.figures["success"].value for entry in result.sets] == [1.0] * 4
    used = [entry.usage for entry in result.sets if entry.usage is not None]
    assert sum(taken.requests for taken in used) == len(answers) == 7
    assert used[0].cost == pytest.approx(2 * (100 + 2 * 30) / 1e6)
    assert check_result(tmp_path / "r.json", progress=False) == result
    assert [path.name for path in tmp_path.glob("[!.]*")] == ["r.json"]


def test_a_checkpoint_answers_and_is_known_by_its_files(small, tiny_config, tiny_policy, tmp_path):
    chosen = chosen_sets(["ising-v1", "stabiliser-v1"], None)
    roomy = with_overrides(tiny_config, {"generation.max_prompt_tokens": 4096})
    answerer = CheckpointAnswerer(tiny_policy, "tiny", roomy)
    result = run_bench(
        answerer, chosen, samples=2, output=tmp_path / "r.json", config=roomy, baselines=[],
        progress=False,
    )  # fmt: skip
    answerer.close()
    assert result.model.digest
    assert all(len(texts) == 2 for entry in result.sets for texts in entry.answers.values())
    assert "success@2" in result.sets[0].row.figures
    assert check_result(tmp_path / "r.json", progress=False) == result


def test_the_published_set_has_the_published_rows_beside_it(tiny_dataset, config, tmp_path):
    data = tmp_path / "published.jsonl"
    write_problems(data, read_problems(tiny_dataset / "train.jsonl")[:2])
    chosen = chosen_sets([], data)
    result = run_bench(
        BaselineAnswerer("references", config), chosen, samples=1, output=tmp_path / "r.json",
        config=config, baselines=[GUESSING], progress=False,
    )  # fmt: skip
    (entry,) = result.sets
    assert entry.set == "published-2"
    assert entry.row.figures["scr"].value == 100.0
    assert entry.row.figures["re"].value == pytest.approx(0.0, abs=1e-6)
    assert entry.as_published
    assert entry.as_published["GPT-5 (580 problems)"]["scr"] == 87.07
    with pytest.raises(InputError, match="give its rows with --data"):
        check_result(tmp_path / "r.json", progress=False)
    assert check_result(tmp_path / "r.json", data=data, progress=False) == result


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nosuch-v1", "--output", "o.json"], "there is no set 'nosuch-v1'"),
        (["published", "--output", "o.json"], "give its rows with --data FILE"),
        ([], "--output FILE.json: say where"),
        (["--baseline", "best", "--output", "o.json"], "ising-v1 has no baseline 'best'"),
        (["--baseline", "greedy", "--checkpoint", "x", "--output", "o"], "name one of them"),
        (["stabiliser-v1", "--checkpoint", "graph-3m", "--output", "o.json"],
         "graph-3m was not trained on stabiliser (it was on ising); use a checkpoint that was"),
        (["--model", "m", "--output", "o.json"], "--model goes with --endpoint"),
        (["--submit", "nosuch.json"], "nosuch.json: no such file"),
        (["--data", "nosuch.jsonl", "--output", "o"], "--data nosuch.jsonl: no such file"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(arguments, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["bench", *arguments]) == 2
    assert told in capsys.readouterr().err.strip().splitlines()[-1]


def test_the_schema_is_printed_and_the_sets_are_named(small, capsys):
    assert main(["bench", "--schema"]) == 0
    assert "SetResult" in json.loads(capsys.readouterr().out)["$defs"]
    assert main(["bench", "--list"]) == 0
    assert "stabiliser-v1" in capsys.readouterr().out


def test_a_file_that_is_no_result_is_refused(tmp_path):
    path = tmp_path / "r.json"
    path.write_text('{"format": "other"}')
    with pytest.raises(InputError, match="not a result of quasar bench"):
        read_result(path)
