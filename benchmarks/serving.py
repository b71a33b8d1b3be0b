"""The endpoint under load on loopback, against a plain FastAPI server around `model.generate`, and
against vLLM's own server where there is one.

    python benchmarks/serving.py --checkpoint runs/published [--users 1 8 32] [--seconds 30]
        [--vllm .venv-vllm/bin/python [--vllm-options="--enforce-eager"]]
    python benchmarks/serving.py --checkpoint runs/published --overload
    python benchmarks/serving.py --checkpoint runs/published --minutes 60 --users 8
    python benchmarks/serving.py --checkpoint runs/published --kill --users 8

Users are closed loops: each sends its next request when it has the answer. All servers draw as
many candidates a request from the same prompts, alike (`benchmarks/other_servers.py`); only the
endpoint verifies them, and it alone has a grammar: with --set generation.constrained=false it
writes freely, too. They run one after the other; "ratio": how many times more the endpoint
answers. --overload: a burst of many users; --minutes: memory over time; --kill: one writer replica
and one verifier replica are killed under load. Writes JSON where --output is given.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil
from other_servers import START_S, Server, free_port, plain, started, vllm
from rich.console import Console
from rich.table import Table

BURST_USERS = 400
SAMPLE_EVERY_S = 10.0
REPLICA = "ServeReplica:quasar:"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: seconds since the load began, how long it took, status (0: no answer)."""

    at: float
    seconds: float
    status: int
    retry_after: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", required=True, type=Path)
    parser.add_argument("--users", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--overload", action="store_true")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    parser.add_argument("--vllm", metavar="PYTHON", help="interpreter that has vLLM")
    parser.add_argument("--vllm-options", default="", help="further options of `vllm serve`")
    arguments = parser.parse_args()
    if arguments.overload:
        found = overload(arguments)
    elif arguments.minutes:
        found = memory_over_time(arguments)
    elif arguments.kill:
        found = killed_replicas(arguments)
    else:
        found = against_others(arguments)
    if arguments.output:
        arguments.output.write_text(json.dumps(found, indent=1) + "\n")


def requests(samples: int) -> Iterator[dict[str, Any]]:
    """Vertex covers of rings of 4 to 8 nodes, each with its own seed."""
    for seed in itertools.count():
        n = 4 + seed % 5
        graph = {"nodes": list(range(n)), "edges": [[i, (i + 1) % n] for i in range(n)]}
        problem = {"primitive": "vertex_cover", "graph": graph}
        yield {"problem": problem, "samples": samples, "seed": seed}


async def load(
    server: Server, *, users: int, seconds: float, samples: int, patient: bool = False
) -> list[Answer]:
    """What `users` closed loops were answered within that time; patient ones wait when told to."""
    bodies, answers = requests(samples), []
    # aiohttp, because httpx's pool costs more with hundreds of connections than the endpoint does
    connector, timeout = aiohttp.TCPConnector(limit=users), aiohttp.ClientTimeout(total=300.0)
    began = time.perf_counter()
    async with aiohttp.ClientSession(server.url, connector=connector, timeout=timeout) as client:

        async def user() -> None:
            while (started := time.perf_counter()) < began + seconds:
                status, retry_after = 0, None
                body = server.translate(next(bodies))
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with client.post(server.path, json=body) as response:
                        await response.read()
                    status, retry_after = response.status, response.headers.get("retry-after")
                now = time.perf_counter()
                answers.append(Answer(now - began, now - started, status, retry_after is not None))
                if patient and retry_after is not None:
                    await asyncio.sleep(float(retry_after))

        await asyncio.gather(*(user() for _ in range(users)))
    return answers


def figures(answers: list[Answer]) -> dict[str, float]:
    """Answers with 200 a second, percentiles of their seconds, and the share of the others."""
    good = [answer.seconds for answer in answers if answer.status == 200]
    wall = max((answer.at for answer in answers), default=0.0)
    p50, p95, p99 = np.percentile(good, [50, 95, 99]) if good else [float("nan")] * 3
    return {
        "requests": len(answers),
        "failed_share": 1.0 - len(good) / len(answers) if answers else float("nan"),
        "per_second": len(good) / wall if wall else float("nan"),
        "p50_s": float(p50),
        "p95_s": float(p95),
        "p99_s": float(p99),
    }


def against_others(arguments: argparse.Namespace) -> dict[str, Any]:
    """Throughput and latency of the servers for each number of users, and the ratios.

    One server at a time, so that none takes cores or memory of another.
    """
    servers = {"plain": plain, **({"vllm": vllm} if arguments.vllm else {}), "quasar": endpoint}
    found: dict[str, Any] = {str(users): {} for users in arguments.users}
    for name, start in servers.items():
        with start(arguments) as server:
            # compiled parts, caches
            asyncio.run(load(server, users=2, seconds=3.0, samples=arguments.samples))
            for users in arguments.users:
                answers = asyncio.run(
                    load(server, users=users, seconds=arguments.seconds, samples=arguments.samples)
                )
                found[str(users)][name] = figures(answers)
    table = Table("users", "server", "requests/s", "p50 s", "p95 s", "p99 s", "failed", "ratio")
    for users, rows in found.items():
        for name, row in rows.items():
            row["ratio"] = rows["quasar"]["per_second"] / row["per_second"]
            table.add_row(
                users,
                name,
                f"{row['per_second']:.2f}",
                *(f"{row[p]:.3f}" for p in ("p50_s", "p95_s", "p99_s")),
                f"{row['failed_share']:.1%}",
                "" if name == "quasar" else f"{row['ratio']:.2f}",
            )
    Console().print(table)
    return found


def overload(arguments: argparse.Namespace) -> dict[str, Any]:
    """A burst: every answer is a 200 or a 503 that says when to come back; then all is well.

    Once with users who ask again at once, once with users who wait as long as they are told.
    """
    found = {}
    for name, patient in (("at once", False), ("as told", True)):
        with endpoint(arguments) as server:
            asyncio.run(load(server, users=2, seconds=3.0, samples=arguments.samples))
            answers = asyncio.run(
                load(
                    server,
                    users=BURST_USERS,
                    seconds=arguments.seconds,
                    samples=arguments.samples,
                    patient=patient,
                )
            )
            after = asyncio.run(load(server, users=1, seconds=1.0, samples=arguments.samples))
        found[name] = burst(answers) | {"afterwards": [answer.status for answer in after]}
    Console().print(found)
    return found


def burst(answers: list[Answer]) -> dict[str, Any]:
    """Counts and times of the answered and of the refused."""
    statuses = Counter(answer.status for answer in answers)
    refused = [answer for answer in answers if answer.status == 503]
    return {
        "users": BURST_USERS,
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "refused_with_retry_after": sum(answer.retry_after for answer in refused),
        "other_than_200_and_503": len(answers) - statuses[200] - statuses[503],
        "answered": figures([answer for answer in answers if answer.status == 200]),
        "refused_p95_s": float(np.percentile([a.seconds for a in refused], 95)) if refused else 0.0,
    }


def memory_over_time(arguments: argparse.Namespace) -> dict[str, Any]:
    """Resident memory of all of the endpoint's processes while it is under load."""

    async def both(server: Server) -> tuple[list[Answer], list[list[float]]]:
        seconds = 60.0 * arguments.minutes
        working = asyncio.ensure_future(
            load(server, users=arguments.users[-1], seconds=seconds, samples=arguments.samples)
        )
        began, memory = time.perf_counter(), []
        while not working.done():
            memory.append([(time.perf_counter() - began) / 60.0, resident_mb(server.process)])
            await asyncio.wait((working,), timeout=SAMPLE_EVERY_S)
        return working.result(), memory

    with endpoint(arguments) as server:
        asyncio.run(load(server, users=2, seconds=3.0, samples=arguments.samples))
        answers, memory = asyncio.run(both(server))
    minutes, megabytes = np.array(memory).T
    later = minutes >= minutes[-1] / 2  # what is loaded and cached at first is no leak
    slope = np.polyfit(minutes[later], megabytes[later], 1)[0] if later.sum() > 2 else float("nan")
    found = {
        **figures(answers),
        "first_mb": float(megabytes[0]),
        "last_mb": float(megabytes[-1]),
        "largest_mb": float(megabytes.max()),
        "second_half_mb_per_minute": float(slope),
        "memory": memory,
    }
    Console().print({key: value for key, value in found.items() if key != "memory"})
    return found


def killed_replicas(arguments: argparse.Namespace) -> dict[str, Any]:
    """Kill a writer after a third of the time, a verifier after two thirds (two of each run)."""
    arguments.overrides += ["serving.num_replicas=2", "serving.num_verifiers=2"]
    parts = ("writer", "verifier")

    async def kill(server: psutil.Process, part: str, began: float) -> dict[str, float]:
        before = replicas(server, part)
        os.kill(before[0], signal.SIGKILL)
        killed = time.perf_counter()
        while len(set(replicas(server, part)) - {before[0]}) < len(before):
            await asyncio.sleep(0.2)
            if time.perf_counter() - killed > START_S:
                return {"killed_at_s": killed - began, "replaced_after_s": float("nan")}
        return {"killed_at_s": killed - began, "replaced_after_s": time.perf_counter() - killed}

    async def both(server: Server) -> tuple[list[Answer], dict[str, Any]]:
        began, seconds = time.perf_counter(), arguments.seconds
        working = asyncio.ensure_future(
            load(server, users=arguments.users[-1], seconds=seconds, samples=arguments.samples)
        )
        kills = {}
        for i, part in enumerate(parts, 1):
            await asyncio.sleep(max(0.0, began + seconds * i / 3 - time.perf_counter()))
            kills[part] = await kill(server.process, part, began)
        return await working, kills

    with endpoint(arguments) as server:
        asyncio.run(load(server, users=4, seconds=5.0, samples=arguments.samples))
        answers, kills = asyncio.run(both(server))
    good = np.array([0.0, *sorted(a.at for a in answers if a.status == 200)])
    for found in kills.values():
        later = good[good > found["killed_at_s"]]
        found["next_success_after_s"] = float(later[0] - found["killed_at_s"]) if len(later) else -1
    found = {
        **figures(answers),
        "statuses": dict(Counter(str(answer.status) for answer in answers)),
        "longest_time_without_success_s": float(np.diff(good).max()) if len(good) > 1 else -1,
        "kills": kills,
    }
    Console().print(found)
    return found


def replicas(server: psutil.Process, part: str) -> list[int]:
    """Process ids of a deployment's replicas."""
    found = []
    for process in server.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if f"{REPLICA}{part}" in " ".join(process.cmdline()):
                found.append(process.pid)
    return found


def resident_mb(server: psutil.Process) -> float:
    """Proportional set size of the whole process tree, MiB: shared pages count once."""
    total = 0
    for process in (server, *server.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 2**20


@contextlib.contextmanager
def endpoint(arguments: argparse.Namespace) -> Iterator[Server]:
    """`quasar serve` in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "quasar", "serve", "--checkpoint", arguments.checkpoint]
    for override in (f"serving.port={port}", *arguments.overrides):
        command += ["--set", override]
    with started(command, f"http://127.0.0.1:{port}", "/readyz") as (url, process):
        yield Server(process, url)


if __name__ == "__main__":
    main()
