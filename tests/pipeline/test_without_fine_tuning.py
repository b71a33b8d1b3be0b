"""A main job that leaves supervised fine-tuning out: GRPO starts from the model as it is."""

import json

import pytest

from quasar.config import load_config
from quasar.errors import ConfigError
from quasar.pipeline.main_job import run_main_job
from quasar.system.run_paths import RunPaths
from quasar.training.sft import train_supervised
from tests.support.tiny import TINY

SETTINGS = [
    *TINY,
    "sft.epochs=0",
    "grpo.iterations=1",
    "grpo.prompts_per_step=2",
    "grpo.samples_per_prompt=2",
    "generation.constrained=true",
    "evaluation.num_problems=2",
    "evaluation.samples=1",
    "evaluation.device=none",
    "evaluation.random_draws=0",
]


@pytest.mark.ray
def test_grpo_starts_from_the_model_as_it_is(local_ray, tmp_path):
    places = [f"run.directory={tmp_path}", "run.name=run"]
    config = load_config("published", [*SETTINGS, *places])
    run_main_job(config)
    run = RunPaths(tmp_path / "run")
    assert not run.sft.checkpoints.exists()
    rows = [json.loads(line) for line in (tmp_path / "run/grpo/steps.jsonl").open()]
    assert [row["step"] for row in rows] == [0, 1]
    report = (tmp_path / "run" / "report.html").read_text()
    assert "before GRPO" in report
    assert "after SFT" not in report


def test_fine_tuning_alone_needs_a_step(tiny_dataset, tmp_path):
    config = load_config("published", SETTINGS)
    with pytest.raises(ConfigError, match=r"in a new run raise sft\.epochs"):
        train_supervised(
            config,
            model_directory=tmp_path,
            problems_file=tiny_dataset / "train.jsonl",
            checkpoints=tmp_path / "checkpoints",
        )
