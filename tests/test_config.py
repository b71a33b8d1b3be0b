import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from quasar.config import (
    PRESETS,
    QuasarConfig,
    config_from_dict,
    flatten,
    load_config,
    to_commented_yaml,
    with_overrides,
)
from quasar.errors import ConfigError


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_load(preset):
    config = load_config(preset)
    assert config.run.name == preset


def test_the_presets_differ_in_the_policy():
    policies = {preset: load_config(preset).policy for preset in PRESETS}
    assert policies["laptop"].model == "build"
    # They differ in what is written, and the last has its model elsewhere.
    assert policies["laptop"] == policies.pop("published") == policies.pop("remote")
    assert len({str(policy) for policy in policies.values()}) == len(PRESETS) - 2


@pytest.mark.parametrize("preset", PRESETS)
def test_the_printed_configuration_reads_back_the_same(preset, tmp_path):
    config = load_config(preset, ["tracking.uri=http://host:5000", "sft.learning_rate=1e-6"])
    path = tmp_path / "config.yaml"
    path.write_text(to_commented_yaml(config))
    assert load_config(path) == config


def test_every_value_is_described():
    assert [path for path, _, description in flatten(QuasarConfig()) if not description] == []


def test_overrides_replace_values_and_later_ones_win():
    config = load_config("laptop", ["grpo.iterations=3", "grpo.iterations=5", "run.name=a=b"])
    assert config.grpo.iterations == 5
    assert config.run.name == "a=b"


@given(value=st.floats(min_value=1e-12, max_value=1e3))
def test_numbers_survive_the_command_line(value):
    assert load_config("laptop", [f"sft.learning_rate={value!r}"]).sft.learning_rate == value


def test_with_overrides_keeps_the_rest():
    config = load_config("laptop")
    changed = with_overrides(config, {"reward.weights.expectation": 0.7})
    assert changed.reward.weights.expectation == 0.7
    assert with_overrides(changed, {"reward.weights.expectation": 0.4}) == config


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("grpo.iteration=1", ["'grpo.iteration'", "did you mean 'grpo.iterations'"]),
        ("temperature=1", ["'temperature'", "did you mean"]),
        ("grpo.iterations=-1", ["'grpo.iterations'", "-1", "must be at least 0"]),
        ("grpo.iterations=many", ["'grpo.iterations'", "'many'", "whole number"]),
        ("grpo", ["--set 'grpo'", "section.key=value"]),
        ("=1", ["--set '=1'", "section.key=value"]),
        ("run.name.deep=1", ["'name' is a value, not a section"]),
        ("run.name=[", ["--set 'run.name=['", "not YAML"]),
        ("dataset.max_qubits=2", ["dataset", "max_qubits is below min_qubits"]),
        ("grpo=3", ["'grpo' = 3"]),
        ("reward.weights.noise_aware_expectation=1", ["set verification.noise.model"]),
    ],
)
def test_a_bad_override_is_explained_in_one_line(override, parts):
    with pytest.raises(ConfigError) as caught:
        load_config("laptop", [override])
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_all_faults_are_named_at_once():
    with pytest.raises(ConfigError, match=r"sft\.epochs.*grpo\.iterations"):
        config_from_dict({"grpo": {"iterations": -1}, "sft": {"epochs": "x"}})


def test_every_line_of_a_written_configuration_says_what_it_is():
    lines = to_commented_yaml(config_from_dict({})).splitlines()
    bare = [line for line in lines if not line.partition("  # ")[2] or line.endswith("# None")]
    assert not bare


def test_traces_are_not_mixed_into_canonical_programs():
    """Their mistakes are made in programs of the other style."""
    with pytest.raises(ConfigError, match=r"sft\.traces_per_example=0.*dataset\.style=published"):
        load_config("laptop", ["sft.traces_per_example=0.5"])


@pytest.mark.parametrize("other", ["dataset.prompts=structured", "dataset.style=published"])
def test_a_stream_is_not_of_other_prompts_or_programs_than_the_run(other):
    with pytest.raises(ConfigError, match=r"sft\.stream\.examples=0"):
        load_config("laptop", [other, "sft.loss=all"])
    assert load_config("laptop", [other, "sft.loss=all", "sft.stream.examples=0"])


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="mapping of sections"):
        load_config(path)
    with pytest.raises(ConfigError, match="mapping of sections"):
        load_config(path, ["run.seed=1"])


def test_a_file_that_is_no_yaml_is_refused_with_its_line(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("run:\n  name: [a\n")
    with pytest.raises(ConfigError, match=r"line 3: not valid YAML"):
        load_config(path)


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xff\xfe\x00run")
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        load_config(path)


def test_an_unknown_preset_names_the_presets():
    with pytest.raises(ConfigError, match="laptop, single-gpu, cluster-4b"):
        load_config("desktop")


def test_an_empty_file_is_the_default(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("")
    assert load_config(path) == QuasarConfig()


def test_a_configuration_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="frozen"):
        load_config("laptop").run.seed = 1


def test_the_yaml_has_a_comment_on_each_value():
    text = to_commented_yaml(load_config("laptop"))
    assert all("  # " in line for line in text.splitlines())
    assert yaml.safe_load(text)["run"]["name"] == "laptop"
