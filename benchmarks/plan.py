"""Planned memory of a learner beside that of real steps, on CPUs.

    python benchmarks/plan.py                    # models of 10 to 130 million parameters
    python benchmarks/plan.py --depth 1          # cluster-4b: Qwen3-4B's width and vocabulary

Each case is a process of its own: a randomly initialised model of the Qwen3 architecture in a real
DeepSpeed engine (one rank) takes two GRPO updates on two micro-batches of the longest sequences of
different lengths. Measured is resident memory beyond that of the process with its libraries: the
states after an update, and the highest value of the second one. Ends with exit code 1 where plan
and measurement are more than 20 % apart.

--depth N: the cluster-4b preset as it is, but for one learner, N of its 36 layers and shorter
responses (`--tokens`); `--lora R` trains adapters, which needs a quarter of the memory.
"""

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM, Qwen3Config

from quasar.config import QuasarConfig, load_config, with_overrides
from quasar.policy.sequence import TokenSequence
from quasar.policy.tokenizer import train_tokenizer
from quasar.training.algorithm.packing import TrainingSequence, deal, pad
from quasar.training.capacity.memory import (
    learner_memory,
    learner_peak,
    longest_micro_batch,
    num_parameters,
)
from quasar.training.capacity.plan import named_shape
from quasar.training.learner.deepspeed import Objective, PolicyLearner
from quasar.training.learner.native_ops import load_cpu_communication_op

TOLERANCE = 0.2
STATES = ("weights", "optimiser", "reference")


def cases() -> dict[str, dict]:
    """Name -> preset, shape, overrides."""

    def shape(width: int, layers: int, vocab: int = 32_000) -> dict:
        return {
            "hidden_size": width, "intermediate_size": 3 * width, "num_hidden_layers": layers,
            "num_attention_heads": width // 64, "num_key_value_heads": max(1, width // 128),
            "head_dim": 64, "vocab_size": vocab, "tie_word_embeddings": True,
        }  # fmt: skip

    one = {"learner.num_learners": 1}
    short = one | {
        "learner.micro_batch_tokens": 512,
        "generation.max_prompt_tokens": 128,
        "generation.max_response_tokens": 128,
    }
    checkpointing = {"policy.gradient_checkpointing": True}
    bfloat16 = {"policy.dtype": "bfloat16"}
    return {
        "the laptop's own": {"shape": None, "set": one},
        "256 wide": {"shape": shape(256, 4), "set": one | {"learner.micro_batch_tokens": 2048}},
        "512 wide": {"shape": shape(512, 8), "set": short},
        "512 wide, checkpointing": {
            "shape": shape(512, 8),
            "set": one | checkpointing | {"learner.micro_batch_tokens": 1024},
        },
        "512 wide, ZeRO-3, reference": {
            "shape": shape(512, 8),
            "set": short | {"learner.zero_stage": 3, "grpo.kl_coefficient": 0.05},
        },
        "768 wide, ZeRO-2, bfloat16": {
            "shape": shape(768, 8),
            "set": short | bfloat16 | checkpointing | {"learner.zero_stage": 2},
        },
        "1024 wide, LoRA": {"shape": shape(1024, 8), "set": short | {"policy.lora_rank": 16}},
        "1024 wide": {"shape": shape(1024, 8), "set": short},
        "1024 wide, ZeRO-3, bfloat16": {
            "shape": shape(1024, 8),
            "set": short | bfloat16 | checkpointing | {"learner.zero_stage": 3},
        },
    }


def cluster_case(depth: int, tokens: int, vocab: int, lora: int) -> dict:
    """The cluster-4b preset with fewer layers and one learner."""
    config = load_config("cluster-4b")
    shape = named_shape("4B", config).to_dict()
    known = ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads",
             "head_dim", "tie_word_embeddings")  # fmt: skip
    return {
        "preset": "cluster-4b",
        "shape": {name: shape[name] for name in known}
        | {"num_hidden_layers": depth, "vocab_size": vocab},
        "set": {
            "learner.num_learners": 1,
            "learner.micro_batch_tokens": tokens,
            "generation.max_prompt_tokens": tokens // 4,
            "generation.max_observation_tokens": tokens // 8,
            "generation.max_response_tokens": tokens // 8,
            "policy.lora_rank": lora,
        },
    }


def configured(case: dict) -> tuple[QuasarConfig, Qwen3Config]:
    """The configuration and shape of a case."""
    config = with_overrides(load_config(case.get("preset", "laptop")), case["set"])
    if case["shape"] is None:
        return config, named_shape("config", config)
    return config, Qwen3Config(**case["shape"], eos_token_id=0, pad_token_id=0, bos_token_id=None)


def measure(case: dict) -> dict:
    """GiB of states and peak, seconds of an update, in this process."""
    import deepspeed

    config, shape = configured(case)
    load_cpu_communication_op()
    deepspeed.init_distributed("gloo", verbose=False)
    # What libraries take at their first use is not the learner's: a tiny one comes first.
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "head_dim": 16,
             "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 512}  # fmt: skip
    updates(config, Qwen3Config(**shape.to_dict() | small | {"layer_types": None}), 2, 32)
    start = resident("VmRSS")
    rows, length = longest_micro_batch(config)
    found = updates(config, shape, rows, length)
    return found | {"states": found["states"] - start, "peak": found["peak"] - start}


def updates(config: QuasarConfig, shape: Qwen3Config, rows: int, length: int) -> dict:
    """Two updates on two micro-batches of rows × length tokens: resident GiB after them and at the
    highest of the second, its seconds."""
    with tempfile.TemporaryDirectory() as directory:
        tokenizer = train_tokenizer(["a b c"], vocab_size=300, pieces=[])
        tokenizer.save_pretrained(directory)
        model = AutoModelForCausalLM.from_config(shape, dtype=getattr(torch, config.policy.dtype))
        model.save_pretrained(directory)
        del model
        learner = PolicyLearner(
            directory,
            policy=config.policy,
            config=config.learner,
            device="cpu",
            keep_reference=config.grpo.kl_coefficient > 0,
        )
        random = np.random.default_rng(0)
        sequences = []
        for i in range(2 * rows):
            ids = random.integers(5, 200, length - 2 * (i % 2)).astype(np.int32)
            old = np.full(len(ids) - 16, -9.0, np.float32)
            tokens = TokenSequence(ids[:16], ids[16:], np.ones(len(old)), old)
            sequences.append(TrainingSequence.of(tokens, (-1.0) ** i))
        (shard,) = deal(sequences, num_ranks=1, max_tokens=rows * length)
        batches = [pad(members, pad_id=learner.pad_id) for members in shard]
        for _ in range(2):
            resident("VmRSS")  # sets the peak back
            started = time.perf_counter()
            learner.train_step(
                batches,
                objective=Objective("grpo", config.generation.temperature, config.grpo),
                learning_rate=1e-6,
                num_tokens=sum(batch.num_tokens for batch in batches),
            )
            seconds = time.perf_counter() - started
            peak = status("VmHWM")
        tokens = sum(batch.padded_tokens for batch in batches)
        return {
            "peak": peak, "states": resident("VmRSS"), "seconds": seconds, "tokens": tokens
        }  # fmt: skip


def resident(name: str) -> float:
    """GiB from the kernel's account of this process, after giving free memory back to it; sets its
    peak back to what is resident now."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return status(name)


def status(name: str) -> float:
    """GiB of a line of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 2**20


def in_a_process(case: dict) -> dict:
    """`measure` in a fresh process: its peak is its own."""
    # Memory of a freed tensor goes back to the kernel at once.
    names = {
        "MALLOC_MMAP_THRESHOLD_": "65536",
        "RANK": "0",
        "WORLD_SIZE": "1",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, __file__, "--measure", json.dumps(case)],
        env=os.environ | names | {"MASTER_PORT": "29655", "DS_ACCELERATOR": "cpu"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"exit code {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--depth", type=int, help="cluster-4b with so many layers")
    parser.add_argument("--tokens", type=int, default=1024, help="of its longest sequence")
    parser.add_argument("--vocab", type=int, default=151_936, help="its vocabulary")
    parser.add_argument("--lora", type=int, default=0, metavar="RANK")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(json.loads(arguments.measure))))
        return
    chosen = cases()
    if arguments.depth:
        name = f"cluster-4b, {arguments.depth} layers" + (", LoRA" if arguments.lora else "")
        chosen = {name: cluster_case(
            arguments.depth, arguments.tokens, arguments.vocab, arguments.lora
        )}  # fmt: skip
    table = Table(
        title="One learner, GiB: planned and measured", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for column in ("model", "million", "tokens", "states", "", "peak", "", "ratio", "s"):
        table.add_column(column, justify="left" if column == "model" else "right", no_wrap=True)
    worst = 0.0
    for name, case in chosen.items():
        config, shape = configured(case)
        parts = learner_memory(config, shape, world_size=1)
        found = in_a_process(case)
        planned = learner_peak(parts)
        ratio = planned / found["peak"]
        worst = max(worst, abs(ratio - 1.0))
        row = (
            name,
            f"{num_parameters(shape) / 1e6:.1f}",
            str(found["tokens"]),
            f"{sum(parts[part] for part in STATES):.2f}",
            f"{found['states']:.2f}",
            f"{planned:.2f}",
            f"{found['peak']:.2f}",
            f"{ratio:.2f}",
            f"{found['seconds']:.1f}",
        )
        table.add_row(*row)
        detail = ", ".join(f"{part} {value:.2f}" for part, value in parts.items() if value)
        print(f"{' | '.join(row)} | plan: {detail}", file=sys.stderr, flush=True)
    Console().print(table)
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
