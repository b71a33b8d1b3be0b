"""What `benchmarks/gpu.py` asks of its stages, and what they find."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CUDA, CPU = "cuda", "cpu"
GPU_SHARES = ("learner.gpus_per_learner", "rollout.gpus_per_worker", "serving.gpus_per_replica")


@dataclass(frozen=True)
class Sizes:
    """How much of each stage one device does."""

    examples: int = 32  # of a supervised step
    steps: int = 4  # supervised, the first of which is a warm-up
    updates: int = 3  # of GRPO, likewise
    prompts: int = 8
    samples: int = 8
    answers: int = 32  # of the evaluation
    response: int = 384  # most tokens of a program
    rows: int = 64  # decoded together
    tokens: int = 256  # of each of them
    candidates: int = 64  # verified, of each number of qubits
    verified: tuple[int, ...] = (8, 12, 16, 20)  # qubits
    simulated: tuple[int, ...] = (20, 24, 26)


FULL = Sizes()
BESIDE = Sizes(
    examples=2, steps=2, updates=1, prompts=1, samples=4, answers=2, response=128, rows=8,
    tokens=24, candidates=8,
)  # fmt: skip
REHEARSAL = Sizes(
    examples=4, steps=2, updates=2, prompts=2, samples=4, answers=4, response=96, rows=8,
    tokens=16, candidates=8, verified=(4, 8), simulated=(10, 14),
)  # fmt: skip


@dataclass(frozen=True)
class Work:
    """What is run. place: a directory for the dataset, the model and the run; model: a directory in
    Hugging Face layout, "" for random weights; tokenizer: of these, "" for the project's own.
    """

    place: str
    model: str = ""
    tokenizer: str = ""
    rehearse: bool = False
    examples: int = 64  # of the dataset
    overrides: tuple[str, ...] = ()

    @property
    def model_directory(self) -> Path:
        return Path(self.model) if self.model else Path(self.place) / "model"

    @property
    def dataset(self) -> Path:
        return Path(self.place) / "dataset"

    def sizes(self, device: str) -> Sizes:
        """A CPU beside a GPU does less, so that both fit into the time."""
        return REHEARSAL if self.rehearse else FULL if device == CUDA else BESIDE

    def settings(self, device: str) -> list[str]:
        """What is set beside the preset; without a GPU its actors ask for none."""
        sizes = self.sizes(device)
        settings: dict[str, Any] = {
            "run.directory": self.place,
            "policy.model": str(self.model_directory),
            "dataset.num_examples": self.examples,
            "dataset.max_qubits": 4 if self.rehearse else 5,
            "dataset.num_workers": 1 if self.rehearse else 8,
            # Random weights write programs, whose rewards differ, in this way alone.
            "generation.constrained": True,
            # Of a stranger's tokenizer a program takes more tokens.
            "generation.max_response_tokens": max(sizes.response, 256 if self.model else 0),
            "generation.batch_size": sizes.rows,
            "grpo.iterations": sizes.updates,
            "grpo.prompts_per_step": sizes.prompts,
            "grpo.samples_per_prompt": sizes.samples,
            "grpo.validation.every": 0,
            "sft.batch_size": sizes.examples,
            "sft.epochs": sizes.steps * sizes.examples / self.examples,
            "evaluation.num_problems": sizes.answers,
            "evaluation.samples": 1,
            "evaluation.device": "none",
            "evaluation.random_draws": 0,
        }
        if device == CPU:
            settings["cluster.accelerator"] = "cpu"
            settings |= dict.fromkeys(GPU_SHARES, 0.0)
        if self.rehearse:
            settings |= {"verification.num_workers": 1, "learner.micro_batch_tokens": 2048}
        return [*(f"{key}={json.dumps(value)}" for key, value in settings.items()), *self.overrides]

    def config(self, device: str) -> Any:
        """The preset single-gpu with these settings."""
        from quasar.config import load_config

        return load_config("single-gpu", self.settings(device))


@dataclass(frozen=True)
class Row:
    """One measurement. unit: "…/s" and "s" are compared, what else there is stands by itself."""

    what: str
    unit: str
    device: str
    value: float


@dataclass(frozen=True)
class Note:
    """One line on what was left out, or what there is."""

    note: str


Found = Iterator[Row | Note]
