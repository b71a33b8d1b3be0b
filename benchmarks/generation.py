"""Sampled tokens per second: this project's sampler against `model.generate`, same model.

    python benchmarks/generation.py --checkpoint runs/laptop/model/initial [--batch 64]

End-of-sequence is switched off on both sides: both decode exactly batch × tokens. Medians.
"""

import argparse
import statistics
import time

import torch
from rich.console import Console
from rich.table import Table

from quasar.policy.generation import CircuitGenerator, Sampling


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--prompt", type=int, default=90)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = CircuitGenerator.load(arguments.checkpoint, batch_size=arguments.batch)
    generator.chat.eos_id = -1
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

    table = Table(title=f"{arguments.batch} sequences × {arguments.tokens} tokens, with log-probs")
    for column in ("", "seconds", "tokens/s", "times model.generate"):
        table.add_column(column, justify="right")
    timings = {}
    for name, call in (("model.generate", plain), ("Quasar", ours)):
        call()
        times = []
        for _ in range(arguments.repeats):
            started = time.perf_counter()
            call()
            times.append(time.perf_counter() - started)
        timings[name] = statistics.median(times)
        table.add_row(
            name,
            f"{timings[name]:.2f}",
            f"{arguments.batch * arguments.tokens / timings[name]:.0f}",
            f"{timings['model.generate'] / timings[name]:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
