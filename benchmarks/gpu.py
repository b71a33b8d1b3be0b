"""Ten minutes on a GPU: training, engines, verification and simulators there and on the CPU.

    python benchmarks/gpu.py [--model DIR] [--vllm PYTHON] [--output gpu.json]
    python benchmarks/gpu.py --rehearse     # the same stages, shrunk, where there is no GPU either

Each stage is a process of its own with a time limit; what it lacks is said in one line, and the
others go on. The model is --model, a directory in Hugging Face layout, or random weights of the
shape of Qwen3-0.6B. The CPU beside a GPU gets less to do: rates are compared, not seconds of equal
work. "ratio": how many times faster the GPU is.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpu_stages import STAGES, missing
from gpu_work import CPU, CUDA, Note, Row, Work
from rich.console import Console
from rich.table import Table

# Seconds of a stage on one device. What the others leave of the ten minutes is the last one's.
LIMITS = {
    "device": 20, "prepare": 60, "verification": 20, "aer": 30, "transformers": 30, "vllm": 110,
    "learner": 50, "run": 600,
}  # fmt: skip
ONCE = ("device", "prepare")  # whatever devices there are
GPU_ALONE = ("vllm", "run")  # where there is one: no CPU beside it
REHEARSAL_LIMIT_S = 600.0  # of a stage: the core may be busy with other things


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, help="a directory in Hugging Face layout")
    parser.add_argument("--tokenizer", type=Path, help="of the random weights; default: our own")
    parser.add_argument("--vllm", metavar="PYTHON", default=sys.executable, help="that has vLLM")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all stages together")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--rehearse", action="store_true", help="shrunk, with or without a GPU")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--device", choices=(CUDA, CPU), help=argparse.SUPPRESS)
    parser.add_argument("--work", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stage:
        carry_out(arguments)
        return
    for option in ("model", "tokenizer"):
        place = getattr(arguments, option)
        if place is not None and not (place / "tokenizer_config.json").is_file():
            refuse(f"--{option} {place}: no model directory (it has no tokenizer_config.json)")
    with tempfile.TemporaryDirectory(prefix="gpu-") as place:
        work = Work(
            place=place,
            model=str(arguments.model.resolve()) if arguments.model else "",
            tokenizer=str(arguments.tokenizer.resolve()) if arguments.tokenizer else "",
            rehearse=arguments.rehearse,
            overrides=tuple(arguments.overrides),
        )
        found = Measured(work, arguments).all()
    Console(width=120).print(table(found))
    for stage, entries in found.items():
        for entry in entries:
            if isinstance(entry, Note):
                print(f"{stage}: {entry.note}")
    if arguments.output:
        content = {stage: [asdict(entry) for entry in found[stage]] for stage in found}
        arguments.output.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def refuse(reason: str) -> None:
    """One line, exit code 2."""
    print(f"gpu: {reason}", file=sys.stderr)
    sys.exit(2)


class Measured:
    """Runs the stages, one after the other."""

    def __init__(self, work: Work, arguments: argparse.Namespace):
        self._work, self._vllm = work, arguments.vllm
        # A model and problems are made where a stage reads them.
        needed = set(arguments.stages) - {"verification", "aer"}
        self._stages = [s for s in STAGES if s in {"device", *arguments.stages}]
        if needed - {"device"} and "prepare" not in self._stages:
            self._stages.insert(1, "prepare")
        self._ends = time.monotonic() + 60.0 * arguments.minutes

    def all(self) -> dict[str, list[Row | Note]]:
        """Rows and notes by stage."""
        found: dict[str, list[Row | Note]] = {}
        devices: tuple[str, ...] = (CPU,)
        for stage in self._stages:
            chosen = devices[:1] if stage in (*ONCE, *GPU_ALONE) else devices
            found[stage] = [entry for device in chosen for entry in self._one(stage, device)]
            if stage == "device":
                if any(isinstance(e, Row) and e.device == CUDA for e in found[stage]):
                    devices = (CUDA, CPU)
                elif not self._work.rehearse:
                    notes = [e.note for e in found[stage] if isinstance(e, Note)]
                    refuse(f"{notes[-1]}; run it where there is one, or here with --rehearse")
        return found

    def _one(self, stage: str, device: str) -> list[Row | Note]:
        left = self._ends - time.monotonic()
        if left <= 0:
            return [Note(f"left out on {device}: the minutes are over (--minutes)")]
        limit = REHEARSAL_LIMIT_S if self._work.rehearse else LIMITS[stage]
        print(f"{stage} on {device} …", file=sys.stderr, flush=True)
        python = self._vllm if stage == "vllm" else sys.executable
        return list(measured(self._work, stage, device, limit_s=min(limit, left), python=python))


def measured(
    work: Work, stage: str, device: str, *, limit_s: float, python: str = sys.executable
) -> Iterator[Row | Note]:
    """What a stage found in a process of its own, which is ended after limit_s seconds."""
    with tempfile.TemporaryDirectory() as place:
        rows, log = Path(place) / "rows.jsonl", Path(place) / "log.txt"
        rows.touch()
        command = [python, __file__, "--stage", stage, "--device", device]
        command += ["--work", json.dumps(asdict(work)), "--rows", str(rows)]
        # Waiting threads sleep, as in our actors; the rehearsal has one, as its core may be busy.
        environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
        if work.rehearse:
            environment["OMP_NUM_THREADS"] = "1"
        with log.open("w") as file:
            try:
                process = subprocess.Popen(
                    command, stdout=file, stderr=file, env=environment, start_new_session=True
                )
            except OSError as error:
                yield Note(f"left out: {python}: {error.strerror}")
                return
            try:
                code: int | None = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                with contextlib.suppress(ProcessLookupError):  # with all that it has started
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for line in rows.read_text().splitlines():
            entry = json.loads(line)
            yield Note(**entry) if "note" in entry else Row(**entry)
        if code is None:
            yield Note(f"ended on {device} after {limit_s:.0f} s, its time limit")
        elif code:
            said = [line.strip() for line in log.read_text().splitlines() if line.strip()]
            yield Note(f"failed on {device} (exit code {code}): {(said or ['no word'])[-1][:300]}")


def carry_out(arguments: argparse.Namespace) -> None:
    """A stage, in this process."""
    work = Work(**arguments.work | {"overrides": tuple(arguments.work["overrides"])})
    reason = missing(arguments.stage)
    entries = iter([Note(reason)]) if reason else STAGES[arguments.stage](work, arguments.device)
    with arguments.rows.open("a") as file:
        for entry in entries:
            file.write(json.dumps(asdict(entry)) + "\n")
            file.flush()


def table(found: dict[str, Sequence[Row | Note]]) -> Table:
    """A line for each thing that was measured, the devices beside each other."""
    made = Table(title="a GPU and the CPU beside it")
    for column in ("stage", "what", "CPU", "GPU", "ratio"):
        made.add_column(column, justify="left" if column in ("stage", "what") else "right")
    for stage, entries in found.items():
        values: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for entry in entries:
            if isinstance(entry, Row):
                values[entry.what, entry.unit][entry.device] = entry.value
        for (what, unit), by_device in values.items():
            name = f"{what}, {unit}" if unit else what
            cells = [shown(by_device.get(device)) for device in (CPU, CUDA)]
            made.add_row(stage, name, *cells, ratio(unit, by_device))
        made.add_section()
    return made


def shown(value: float | None) -> str:
    """Three digits."""
    return "" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def ratio(unit: str, values: dict[str, Any]) -> str:
    """How many times faster the GPU is; nothing where it is not a speed or one is not there."""
    if len(values) < 2 or not (unit == "s" or unit.endswith("/s")):
        return ""
    faster, slower = values[CUDA], values[CPU]
    return f"{slower / faster if unit == 's' else faster / slower:.1f}"


if __name__ == "__main__":
    main()
