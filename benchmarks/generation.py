"""Sampled tokens per second: this project's sampler against `model.generate`, same model.

    python benchmarks/generation.py --checkpoint runs/published/model/initial [--batch 64]
    python benchmarks/generation.py --checkpoint runs/published --problems data/test.jsonl
    .venv-vllm/bin/python benchmarks/generation.py --checkpoint graph-3m --problems FILE --vllm

The first table switches end-of-sequence off on both sides: both decode exactly batch × tokens. With
--problems a second one samples answers to real prompts, `--samples` each: free and held to the
program grammar, a batch at a time and with the places of ended rows refilled, and as the turns of
episodes, the way that training, generation and the endpoint sample. Medians.

--vllm: the same requests by the transformers engine and by vLLM, in one process and on as many
threads, free and held to the grammar, in the styles of the checkpoint's own run; "same": answers
that are the transformers engine's, token by token. Under a grammar most tokens of a canonical
program are forced, and written without the model.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import read_qasm
from quasar.config import GenerationConfig, load_config, with_overrides
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import record_messages
from quasar.episodes.answers import answer_tasks
from quasar.episodes.turns import TurnRequest
from quasar.episodes.writer import write_turns
from quasar.errors import CircuitError
from quasar.policy.engines.loading import load_engine
from quasar.policy.engines.protocol import Completion, Sampling
from quasar.policy.engines.transformers import CircuitGenerator
from quasar.policy.models import pick_device
from quasar.policy.program_form import ProgramForm
from quasar.system.run_paths import RunPaths, model_directory
from quasar.system.shipped import MODELS, shipped_run


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
    parser.add_argument("--vllm", action="store_true", help="also by vLLM, which is installed here")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.vllm:
        if arguments.problems is None or find_spec("vllm") is None:
            parser.error("--vllm goes with --problems FILE, in an environment that has vLLM")
        Console().print(by_both_engines(arguments))
        return
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


def by_both_engines(arguments: argparse.Namespace) -> Table:
    """The same prompts, seeds and grammars by either engine."""
    name = str(arguments.checkpoint)
    checkpoint = shipped_run(name) if name in MODELS else arguments.checkpoint
    run = RunPaths.enclosing(checkpoint)
    config = with_overrides(
        load_config("published" if run is None else run.config_file),
        {
            "generation.batch_size": arguments.batch,
            "generation.max_response_tokens": arguments.max_tokens,
        },
    )
    engines = {
        name: load_engine(
            model_directory(checkpoint),
            with_overrides(config, {"generation.engine": name}),
            device=pick_device(),
        )
        for name in ("transformers", "vllm")
    }
    tasks = answer_tasks(
        read_problems(arguments.problems), samples=arguments.samples, config=config
    )
    prompts = [engines["transformers"].chat.prompt_ids(task.messages) for task in tasks]
    sizes = [task.problem.num_qubits for task in tasks]
    forms = [task.form or ProgramForm(n) for task, n in zip(tasks, sizes, strict=True)]
    sampling = Sampling(0.7, 1.0, arguments.max_tokens)
    written: dict[str, list[Completion]] = {}

    def run_by(name: str, *, constrained: bool) -> Callable[[], None]:
        def call() -> None:
            written[f"{name}, {constrained}"] = engines[name].sample(
                prompts,
                seeds=range(len(prompts)),
                sampling=sampling,
                forms=forms if constrained else None,
            )

        return call

    threads = torch.get_num_threads()
    table = _table(
        f"{len(prompts)} answers, {arguments.batch} at a time, torch threads: {threads}",
        ("seconds", "tokens", "tokens/s", "valid", "same"),
    )
    for constrained in (False, True):
        calls = {name: run_by(name, constrained=constrained) for name in engines}
        for name, seconds in interleaved(calls, arguments.repeats).items():
            done = written[f"{name}, {constrained}"]
            other = written[f"transformers, {constrained}"]
            tokens = sum(len(c.token_ids) for c in done)
            table.add_row(
                f"{name}, {'constrained' if constrained else 'free'}",
                f"{seconds:.2f}",
                str(tokens),
                f"{tokens / seconds:.0f}",
                _share(is_valid(c.text, n) for c, n in zip(done, sizes, strict=True)),
                _share(a.token_ids == b.token_ids for a, b in zip(done, other, strict=True)),
            )
    return table


def _share(truths: Iterable[bool]) -> str:
    return f"{statistics.mean(map(float, truths)):.1%}"


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
