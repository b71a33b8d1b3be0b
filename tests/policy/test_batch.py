"""`quasar generate` interrupted: its rows are taken over by the same call alone."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from quasar.config import with_overrides
from quasar.datasets.answer_seconds import read_seconds
from quasar.datasets.io import read_generations, read_problems, write_problems
from quasar.episodes import generate as batch
from quasar.episodes.generate import generate_file
from quasar.episodes.tools import make_tools
from quasar.errors import InputError
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.optimiser import OptimisationRequest

SAMPLES = 2


@pytest.fixture
def config(tiny_config):
    """Problem by problem, short answers."""
    return with_overrides(
        tiny_config, {"generation.batch_size": SAMPLES, "generation.max_response_tokens": 16}
    )


@pytest.fixture
def problems(tiny_dataset, tmp_path):
    path = tmp_path / "p.jsonl"
    write_problems(path, read_problems(tiny_dataset / "train.jsonl")[:3])
    return path


@pytest.fixture
def another(tiny_policy, tmp_path):
    """The same model with one other number in its weights."""
    directory = shutil.copytree(tiny_policy, tmp_path / "another")
    weights = load_file(directory / "model.safetensors")
    name = sorted(weights)[0]
    weights[name].view(-1)[0] += 1.0
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    return directory


def interrupted(monkeypatch, after: int, *arguments, **options):
    original, calls = batch.answer, []

    def answer(*given, **named):
        calls.append(given)
        if len(calls) > after:
            raise KeyboardInterrupt
        return original(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(batch, "answer", answer)
        with pytest.raises(KeyboardInterrupt):
            generate_file(*arguments, **options)


def test_only_the_same_call_goes_on(tiny_policy, another, problems, config, tmp_path, monkeypatch):
    def options(name, settings=config):
        output = tmp_path / name
        return {"samples": SAMPLES, "output": output, "config": settings, "progress": False}

    generate_file(tiny_policy, problems, **options("straight.jsonl"))
    interrupted(monkeypatch, 2, tiny_policy, problems, **options("g.jsonl"))
    left = tmp_path / "g.jsonl.partial"
    before = left.read_bytes()
    assert before.count(b"\n") == 1 + 2
    other = with_overrides(config, {"evaluation.temperature": 0.2})
    edited = tmp_path / "edited.jsonl"
    edited.write_text(problems.read_text().replace("qaoa", "sim_5", 1))
    for call, named in (
        ((another, problems, options("g.jsonl")), "model"),
        ((tiny_policy, edited, options("g.jsonl")), "problems"),
        ((tiny_policy, problems, options("g.jsonl", other)), "evaluation.temperature"),
        ((tiny_policy, problems, options("g.jsonl") | {"samples": 1}), "samples"),
    ):
        *files, given = call
        with pytest.raises(InputError, match=rf"left by another call \({named} differ\)"):
            generate_file(*files, **given)
        assert left.read_bytes() == before
    moved = with_overrides(config, {"generation.batch_size": 8, "run.name": "elsewhere"})
    interrupted(monkeypatch, 0, tiny_policy, problems, **options("g.jsonl", moved))
    same = shutil.copytree(tiny_policy, tmp_path / "copy")  # the same weights at another place
    generate_file(same, problems, **options("g.jsonl"))
    assert (tmp_path / "g.jsonl").read_bytes() == (tmp_path / "straight.jsonl").read_bytes()
    assert not left.exists()
    seconds = read_seconds(tmp_path / "g.jsonl")  # of the problems of both calls
    assert set(seconds) == {row.sample_index for row in read_generations(tmp_path / "g.jsonl")}
    assert all(value > 0 for value in seconds.values())


def test_a_finished_output_is_replaced_when_the_new_one_is_whole(
    tiny_policy, another, problems, config, tmp_path, monkeypatch
):
    output = tmp_path / "g.jsonl"
    options = {"samples": SAMPLES, "output": output, "config": config, "progress": False}
    generate_file(tiny_policy, problems, **options)
    first = output.read_bytes()
    assert len([json.loads(line) for line in first.splitlines()]) == 3
    interrupted(monkeypatch, 1, another, problems, **options)
    assert output.read_bytes() == first
    generate_file(another, problems, **options)
    assert output.read_bytes() != first
    with pytest.raises(InputError, match="is a directory; name a file in it"):
        generate_file(tiny_policy, problems, **options | {"output": tmp_path})


def test_the_answers_are_those_without_the_optimise_tool_optimised(
    tiny_policy, problems, config, tmp_path
):
    settings = {"generation.constrained": True, "generation.max_response_tokens": 80}
    plain = with_overrides(config, settings)
    tools = with_overrides(plain, {"generation.tools": ["verify", "optimise"]})
    rows = {}
    for name, config_ in (("plain", plain), ("tools", tools)):
        output = tmp_path / f"{name}.jsonl"
        generate_file(
            tiny_policy, problems, samples=4, output=output, config=config_, progress=False
        )
        rows[name] = [json.loads(line)["completions"] for line in output.open()]
    pool, tool = (
        LocalVerifierPool(tools.verification),
        make_tools(tools.reward, tools.generation)[1],
    )
    improved = 0
    for record, before, after in zip(
        read_problems(problems), rows["plain"], rows["tools"], strict=True
    ):
        reports = pool.verify([OptimisationRequest(record.problem, text) for text in before])
        assert after == [tool.submitted(t, r) for t, r in zip(before, reports, strict=True)]
        improved += sum(r.optimised is not None and r.optimised.improved for r in reports)
    assert improved > 0
