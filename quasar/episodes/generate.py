"""Completions for a whole problem file: `quasar generate`.

Writes one JSON line a problem, `{"sample_index": int, "completions": [str, …]}`, as it goes; an
interrupted call goes on with what is missing. The model is a checkpoint, or behind a server
(`remote`). Streams are keyed by (seed, sample_index,
sample), so the file does not depend on where it was interrupted. With `generation.max_turns` above
1 an answer is what the model submits last, after it has read what the verifier found; with the
optimise tool it is the optimised program. What the answers of a local model took is kept beside the
file (`quasar.datasets.answer_seconds`): time of the processor, or of the clock where an accelerator
or vLLM decodes, and of the clock while tools work.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from quasar.config import QuasarConfig
from quasar.datasets.answer_seconds import write_seconds
from quasar.datasets.io import read_records, write_json_rows
from quasar.datasets.task_records import Record
from quasar.episodes.answers import (
    answer,
    answer_tasks,
    answering,
    require_prompts_fit,
    unshared,
)
from quasar.episodes.remote import answer_remotely, remote_engine, told_usage
from quasar.episodes.tools import Execute
from quasar.errors import InputError
from quasar.policy.engines.loading import load_engine
from quasar.policy.models import pick_device
from quasar.policy.preflight import require_policy
from quasar.policy.program_form import tell_unconstrained
from quasar.system.locks import held_file
from quasar.system.progress import progress_bar
from quasar.system.resumable import Fingerprint, RowLog, file_digest, model_digest, settings
from quasar.system.run_paths import partial
from quasar.verification.execution.process import GuardedVerifier
from quasar.verification.request import ReportRequest, VerificationResult

# Settings that the completions depend on; not how many are decoded together.
_THAT_COUNT = (
    "run.seed",
    "dataset.prompts",
    "dataset.style",
    "dataset.angle_decimals",
    "dataset.teacher",  # imitation has a grammar of its own
    "dataset.constrained_ansatz",
    "policy.dtype",
    "generation.engine",
    "generation.constrained",
    "generation.plan_order",
    "generation.stop_at_program_end",
    "generation.tool_format",
    "generation.tools",
    "generation.optimise_evaluations",
    "generation.optimise_method",
    "generation.max_response_tokens",
    "generation.max_turns",
    "generation.turn_tokens",
    "evaluation.temperature",
    "evaluation.top_p",
)
_KEPT = ("sample_index", "completions")  # of a row of the log


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

    An output that is there is replaced once the new one is whole. Raises CheckpointError or
    InputError in one line: also where another process writes the output, and where a call with
    another model, problem file or other settings was interrupted there.
    """
    if samples < 1:
        raise InputError(f"--samples {samples}: give at least 1")
    records = read_records(problems, max_qubits=config.verification.max_qubits)
    with held_file(output):
        chat = require_policy(checkpoint, config, turns=config.generation.max_turns)
        require_prompts_fit(chat, records, config, source=str(problems))
        tell_unconstrained(records, config)
        fingerprint = {
            "model": model_digest(checkpoint),
            "problems": file_digest(problems),
            "samples": samples,
            **setting_fingerprint(config),
        }
        with RowLog(partial(output), fingerprint) as log:
            _draw(checkpoint, records, log, samples=samples, config=config, show=progress)
            write_json_rows(output, ({k: row[k] for k in _KEPT} for row in log.rows()))
            write_seconds(output, {row["sample_index"]: row["seconds"] for row in log.rows()})
            log.remove()


def generate_remotely(
    problems: Path, *, samples: int, output: Path, config: QuasarConfig, progress: bool = True
) -> str:
    """As `generate_file`, by the model of `config.remote`; what it took, in one line.

    Raises EngineError in one line where the server gives no answer; the answers that it gave are
    kept, and the same call goes on from them.
    """
    if samples < 1:
        raise InputError(f"--samples {samples}: give at least 1")
    records = read_records(problems, max_qubits=config.verification.max_qubits)
    with held_file(output), remote_engine(config) as engine:
        fingerprint = {
            **remote_fingerprint(config),
            "problems": file_digest(problems),
            "samples": samples,
        }
        with RowLog(partial(output), fingerprint) as log, verifier_of_turns(config) as verify:
            tasks = answer_tasks(records, samples=samples, config=config)
            texts, used = answer_remotely(
                engine, tasks, log, verify=verify, config=config, progress=progress
            )
            rows = (
                {
                    "sample_index": record.sample_index,
                    "completions": texts[i * samples : (i + 1) * samples],
                }
                for i, record in enumerate(records)
            )
            write_json_rows(output, rows)
            log.remove()
    return told_usage(used, config)


def remote_fingerprint(config: QuasarConfig) -> Fingerprint:
    """What the answers of a model behind a server depend on."""
    remote = config.remote
    named = {"url": remote.url, "model": remote.model, "omit": list(remote.omit)}
    return {"remote": named, **setting_fingerprint(config)}


def setting_fingerprint(config: QuasarConfig) -> Fingerprint:
    """The settings that completions depend on, by dotted path."""
    return settings(config, *_THAT_COUNT)


def _draw(
    checkpoint: str | Path,
    records: Sequence[Record],
    log: RowLog,
    *,
    samples: int,
    config: QuasarConfig,
    show: bool,
) -> None:
    """Append the rows that are missing."""
    if log.num_done == len(records):
        return
    device = pick_device(config.cluster.accelerator)
    engine = load_engine(checkpoint, config, device=device)
    here = device == "cpu" and config.generation.engine == "transformers"
    clock = time.process_time if here else time.perf_counter
    per_batch = max(1, config.generation.batch_size // samples)
    with (
        progress_bar("generate", len(records), done=log.num_done, show=show) as advance_to,
        verifier_of_turns(config) as verify,
    ):
        runner = answering(engine, verify, config)
        for start in range(log.num_done, len(records), per_batch):
            chunk, began = records[start : start + per_batch], clock()
            answers = answer(runner, chunk, samples=samples, config=config)
            tools = runner.take_seconds()["verify"]  # they work in processes of their own
            took = clock() - began + (tools if here else 0.0)
            for record, texts in zip(chunk, answers, strict=True):
                row = {"sample_index": record.sample_index, "completions": texts}
                log.add(row | {"seconds": took / len(chunk)})
            advance_to(start + len(chunk))


@contextmanager
def verifier_of_turns(config: QuasarConfig) -> Iterator[Execute]:
    """What a further turn reads of, and what optimises; with one turn and no such tool nothing is
    verified, and nothing is started.
    """
    if config.generation.max_turns == 1 and "optimise" not in config.generation.tools:
        yield _nothing
        return
    with GuardedVerifier(unshared(config.verification), config.reward.formula) as guarded:
        yield guarded.verify


def _nothing(checks: Sequence[ReportRequest]) -> list[VerificationResult]:
    raise AssertionError("a single turn is not followed, and nothing rewrites it")
