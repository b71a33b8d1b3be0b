"""Completions for a whole problem file: `quasar generate`.

Writes one JSON line a problem, `{"sample_index": int, "completions": [str, …]}`, as it goes; an
interrupted call goes on behind the last whole line. Streams are keyed by (seed, sample_index,
sample), so the file does not depend on where it was interrupted.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from quasar.config import QuasarConfig
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import record_messages
from quasar.datasets.records import ProblemRecord
from quasar.errors import InputError
from quasar.policy.engine import GenerationEngine, Sampling, load_engine, stream_seed
from quasar.policy.models import pick_device
from quasar.policy.tool_calls import submitted_circuit


def generate_file(
    checkpoint: str | Path,
    problems: Path,
    *,
    samples: int,
    output: Path,
    config: QuasarConfig,
    progress: bool = True,
) -> None:
    """Draw `samples` completions for each problem of a file and write them to `output`.

    Raises CheckpointError or InputError in one line; an output that belongs to other problems is
    refused rather than overwritten.
    """
    if samples < 1:
        raise InputError(f"--samples {samples}: give at least 1")
    records = read_problems(problems, max_qubits=config.verification.max_qubits)
    partial = output.with_name(output.name + ".partial")
    done = _rows_done(partial, records, samples)
    engine = load_engine(checkpoint, config, device=pick_device(config.cluster.accelerator))
    output.parent.mkdir(parents=True, exist_ok=True)
    per_batch = max(1, config.generation.batch_size // samples)
    with _bar(progress) as bar, open(partial, "a") as file:
        task = bar.add_task(f"generate {output.name}", total=len(records), completed=done)
        for start in range(done, len(records), per_batch):
            chunk = records[start : start + per_batch]
            for record, texts in zip(
                chunk, complete(engine, chunk, samples=samples, config=config), strict=True
            ):
                row = {"sample_index": record.sample_index, "completions": texts}
                file.write(json.dumps(row) + "\n")
            file.flush()
            bar.advance(task, len(chunk))
    partial.rename(output)


def complete(
    engine: GenerationEngine,
    records: Sequence[ProblemRecord],
    *,
    samples: int,
    config: QuasarConfig,
) -> list[list[str]]:
    """`samples` answers to each problem, sampled as `config.evaluation` says.

    Streams are keyed by (seed, sample_index, sample).
    """
    sampling = Sampling(
        config.evaluation.temperature,
        config.evaluation.top_p,
        config.generation.max_response_tokens,
        config.generation.stop_at_program_end,
    )
    prompts, seeds, sizes = [], [], []
    for record in records:
        messages = record_messages(record, style=config.dataset.prompts)
        prompts += [engine.chat.prompt_ids(messages)] * samples
        sizes += [record.problem.num_qubits] * samples
        seeds += [stream_seed(config.run.seed, record.sample_index, s) for s in range(samples)]
    completions = engine.sample(
        prompts,
        seeds=seeds,
        sampling=sampling,
        num_qubits=sizes if config.generation.constrained else None,
    )
    texts = [submitted_circuit(c.text) for c in completions]
    return [texts[i : i + samples] for i in range(0, len(texts), samples)]


def _rows_done(partial: Path, records: list[ProblemRecord], samples: int) -> int:
    """Whole lines of an interrupted file; a torn last line is cut off."""
    if not partial.is_file():
        return 0
    lines = partial.read_text().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    rows = [json.loads(line) for line in whole]
    expected = [(record.sample_index, samples) for record in records[: len(rows)]]
    if [(row["sample_index"], len(row["completions"])) for row in rows] != expected:
        raise InputError(f"{partial}: left by another call; delete it to start anew")
    partial.write_text("".join(whole))
    return len(rows)


def _bar(visible: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        disable=not visible,
        transient=True,
    )
