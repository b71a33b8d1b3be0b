"""Put a run's model into the package: weights in bfloat16, tokenizer, configuration.

    python benchmarks/ship_model.py NAME runs/policy [--checkpoint DIR] --card card.md

Takes the run's directory and a model card; writes `quasar/models/<name>/`, which is laid out as a
run, so that every command reads it as one.
"""

import argparse
import shutil
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from quasar.config import load_config, to_commented_yaml, with_overrides
from quasar.policy.models import load_tokenizer
from quasar.system.run_paths import RunPaths
from quasar.system.shipped import MODELS, shipped_run

# How a shipped model is asked, where nothing else is said.
_ALL = {
    "run.directory": "runs",
    "generation.constrained": True,
    "serving.samples": 8,
    "serving.temperature": 0.7,
    "serving.top_p": 1.0,
}
SERVED = {
    "graph-3m": {**_ALL, "serving.ansatz": "adaptive"},
    "tasks-2m": {**_ALL, "serving.ansatz": "qaoa"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=MODELS)
    parser.add_argument("run", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="default: the run's final model")
    parser.add_argument("--card", type=Path, required=True, help="the model card, Markdown")
    arguments = parser.parse_args()
    run, place = RunPaths(arguments.run), RunPaths(shipped_run(arguments.name))
    source = arguments.checkpoint or run.final_model
    config = with_overrides(load_config(str(run.config_file), []), SERVED[arguments.name])
    shutil.rmtree(place.directory, ignore_errors=True)
    place.final_model.mkdir(parents=True)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16)
    model.save_pretrained(place.final_model)
    load_tokenizer(source).save_pretrained(place.final_model)
    place.config_file.write_text(to_commented_yaml(config), "utf-8")
    shutil.copy(arguments.card, place.directory / "README.md")
    size = sum(path.stat().st_size for path in place.directory.rglob("*") if path.is_file())
    print(f"{place.directory}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
