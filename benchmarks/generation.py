"""Sampled tokens per second: this project's sampler against `model.generate`, same model.

    python benchmarks/generation.py --checkpoint runs/published/model/initial [--batch 64]
    python benchmarks/generation.py --checkpoint runs/published --problems data/test.jsonl

The first table switches end-of-sequence off on both sides: both decode exactly batch × tokens. With
--problems a second one samples answers to real prompts, `--samples` each: free and held to the
program grammar, a batch at a time and with the places of ended rows refilled, and as the turns of
episodes, the way that training, generation and the endpoint sample. Medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import read_qasm
from quasar.config import GenerationConfig
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import record_messages
from quasar.episodes.turns import TurnRequest
from quasar.episodes.writer import write_turns
from quasar.errors import CircuitError
from quasar.policy.engines.protocol import Completion, Sampling
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.policy.program_form import ProgramForm
from quasar.system.run_paths import model_directory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", required=True, type=Path)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--prompt", type=int, default=90)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--problems", type=Path)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=256)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = CircuitGenerator.load(
        model_directory(arguments.checkpoint), batch_size=arguments.batch
    )
    if arguments.problems is None:
        Console().print(against_generate(generator, arguments))
    else:
        Console().print(free_and_constrained(generator, arguments))


def against_generate(generator: CircuitGenerator, arguments: argparse.Namespace) -> Table:
    """Equal lengths, no end of sequence: ours and `model.generate`."""
    generator.chat.end_ids = frozenset()
    prompts = [list(range(5, 5 + arguments.prompt))] * arguments.batch
    sampling = Sampling(1.0, 1.0, arguments.tokens)
    ids = torch.tensor(prompts, device=generator.model.device)

    def ours() -> None:
        generator.sample(prompts, seeds=range(arguments.batch), sampling=sampling)

    def plain() -> None:
        generator.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            top_k=0,
            max_new_tokens=arguments.tokens,
            min_new_tokens=arguments.tokens,
            output_logits=True,
            return_dict_in_generate=True,
        )

    table = _table(
        f"{arguments.batch} sequences × {arguments.tokens} tokens, with log-probs",
        ("seconds", "tokens/s", "times model.generate"),
    )
    medians = interleaved({"model.generate": plain, "Quasar": ours}, arguments.repeats)
    for name, seconds in medians.items():
        table.add_row(
            name,
            f"{seconds:.2f}",
            f"{arguments.batch * arguments.tokens / seconds:.0f}",
            f"{medians['model.generate'] / seconds:.2f}",
        )
    return table


def free_and_constrained(generator: CircuitGenerator, arguments: argparse.Namespace) -> Table:
    """Real prompts and real ends: what the grammar costs and gives, what refilling gives."""
    records = [r for r in read_problems(arguments.problems) for _ in range(arguments.samples)]
    prompts = [generator.chat.prompt_ids(record_messages(r)) for r in records]
    sizes = [r.problem.num_qubits for r in records]
    forms = [ProgramForm(size) for size in sizes]
    sampling = Sampling(0.7, 1.0, arguments.max_tokens)
    written: dict[str, list[Completion]] = {}
    turns = [TurnRequest(i, record_messages(r), i, sampling, None) for i, r in enumerate(records)]
    limits = GenerationConfig(max_prompt_tokens=max(map(len, prompts)))

    def as_turns() -> None:
        generator.refill = True
        done = write_turns(generator, turns, limits)
        written["free, refilled, as turns"] = [turn.completion for turn in done]

    def run(name: str, *, constrained: bool, refill: bool) -> Callable[[], None]:
        def call() -> None:
            generator.refill = refill
            written[name] = generator.sample(
                prompts,
                seeds=range(len(prompts)),
                sampling=sampling,
                forms=forms if constrained else None,
            )

        return call

    calls = {
        name: run(name, constrained="constrained" in name, refill="refilled" in name)
        for name in ("free", "free, refilled", "constrained", "constrained, refilled")
    }
    calls["free, refilled, as turns"] = as_turns
    table = _table(
        f"{len(prompts)} answers, {arguments.batch} at a time",
        ("seconds", "tokens", "tokens/s", "valid", "finished"),
    )
    for name, seconds in interleaved(calls, arguments.repeats).items():
        done = written[name]
        tokens = sum(len(c.token_ids) for c in done)
        valid = [is_valid(c.text, size) for c, size in zip(done, sizes, strict=True)]
        table.add_row(
            name,
            f"{seconds:.2f}",
            str(tokens),
            f"{tokens / seconds:.0f}",
            f"{statistics.mean(valid):.1%}",
            f"{statistics.mean(c.finished for c in done):.1%}",
        )
    return table


def is_valid(text: str, num_qubits: int) -> bool:
    """Whether the answer is a program on so many qubits."""
    try:
        return read_qasm(extract_program(text)).num_qubits == num_qubits
    except CircuitError:
        return False


def interleaved(calls: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Median seconds of each call; taken in turns, so that a busy machine slows all alike."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):  # the first is a warm-up
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if repeat:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title)
    for column in ("", *columns):
        table.add_column(column, justify="right")
    return table


if __name__ == "__main__":
    main()
