"""A checkpoint brings the configuration of its run."""

import pytest

from quasar.cli import settings
from quasar.cli.main import build_parser
from quasar.config import load_config, to_commented_yaml
from quasar.system.run_paths import RunPaths
from tests.cli.refusals import refused


@pytest.fixture
def run(tmp_path):
    """A run that is not as the laptop's preset says."""
    run = RunPaths(tmp_path / "mine")
    run.final_model.mkdir(parents=True)
    (run.final_model / "config.json").write_text("{}")
    settings = ["run.name=mine", "generation.max_prompt_tokens=999", "serving.port=8123"]
    settings += ["dataset.prompts=free", "dataset.ansatze=[sim_5]"]
    run.config_file.write_text(to_commented_yaml(load_config("published", settings)))
    return run


def loaded(*words: str):
    arguments = build_parser().parse_args(list(words))
    arguments.prepare = settings.unchanged
    if words[0] != "serve":
        return settings.load(arguments)
    (served,) = settings.checkpoints_to_serve(arguments)
    return served.config


GENERATE = ["generate", "--problems", "p", "--samples", "1", "--output", "o"]


@pytest.mark.parametrize("command", [["serve"], GENERATE], ids=["serve", "generate"])
@pytest.mark.parametrize("inside", ["", "model/final"])
def test_a_checkpoint_brings_its_configuration(command, inside, run, caplog):
    named = [*command, "--checkpoint", str(run.directory / inside)]
    found = loaded(*named)
    assert (found.generation.max_prompt_tokens, found.serving.port) == (999, 8123)
    assert "the model was trained with" not in caplog.text
    other = loaded(*named, "--set", "serving.port=9000")
    assert (other.generation.max_prompt_tokens, other.serving.port) == (999, 9000)
    preset = loaded(*named, "--config", "laptop")
    assert preset == load_config("laptop")
    clash = "dataset.prompts is 'compact', the model was trained with 'free'"
    assert clash in caplog.text


@pytest.mark.parametrize(
    ("command", "other"),
    [
        (["serve", "--checkpoint", "a"], "--checkpoint a"),
        ([*GENERATE, "--checkpoint", "a"], "--checkpoint a"),
        ([*GENERATE, "--endpoint", "http://127.0.0.1:9/v1", "--model", "m"], "--endpoint"),
        (["ask", "max cut of 0-1", "--checkpoint", "a"], "--checkpoint a"),
        (["ask", "max cut of 0-1", "--url", "http://127.0.0.1:9"], "--url"),
        (["bench", "--baseline", "greedy", "--output", "o.json"], "--endpoint"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_two_models_are_refused(command, other, capsys):
    said = refused(capsys, *command, "--set", "policy.model=b")
    assert f"{other} and --set policy.model: name one of them" in said


def test_a_model_of_no_run_is_asked_in_the_published_style(tmp_path):
    assert loaded("serve", "--checkpoint", str(tmp_path)) == load_config("published")
