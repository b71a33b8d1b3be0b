"""Our reward in the code of other trainers, each from the registry, in an environment of its own.

    python benchmarks/trainers.py openenv|openrlhf|verl|endpoint

openenv: its server and its client, an episode over HTTP. openrlhf: its agent executor, which loads
the reward function by path, samples an answer (here from the shipped model; there vLLM is the
engine) and asks for the reward. verl: its loader of custom reward functions and its reward
manager, on its own batches. endpoint: the shipped model behind OpenAI's interface at port 8123 in
one process, for the command line of verifiers (docs/how-to/trainers.md).
"""

import argparse
import asyncio
import contextlib
import socket
import threading
import time
from types import SimpleNamespace

PROBLEM = "max cut of 0-1:3 1-2:1 2-0:2"
POOR = """OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] c;
h q;
c = measure q;
"""
GOOD = POOR.replace("h q;", "x q[0];")


def run_openenv() -> None:
    """An episode of two turns through the server."""
    import uvicorn
    from openenv.core import GenericEnvClient

    from quasar.integrations.openenv import circuit_server

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    app = circuit_server([PROBLEM], turns=2)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    with GenericEnvClient(base_url=f"http://127.0.0.1:{port}").sync() as client:
        result = client.reset(seed=1)
        print("reset ", result.observation["text"].splitlines()[0][:70])
        for answer in (POOR, GOOD):
            result = client.step({"answer": answer})
            print(
                f"step   reward {result.reward:.3f}, done {result.done}, "
                f"expectation {result.observation['reward_parts']['expectation']:.3f}"
            )
        print("state ", client.state()["step_count"], "steps")
    server.should_exit = True
    thread.join(10)


def _shipped():
    from quasar.policy.models import load_policy
    from quasar.system.shipped import shipped_run

    return load_policy(shipped_run() / "model" / "final")


def run_openrlhf() -> None:
    """Samples of the shipped model, rewarded by the executor."""
    import torch
    from openrlhf.utils.agent import SingleTurnAgentExecutor

    from quasar.integrations import openrlhf as adapter

    model, tokenizer = _shipped()
    torch.manual_seed(0)

    class Engine:
        """What vLLM is there: token ids in, token ids out."""

        async def generate(self, ids, params, multi_modal_data=None):
            given = torch.tensor([ids])
            with torch.no_grad():
                out = model.generate(
                    given,
                    attention_mask=torch.ones_like(given),
                    do_sample=True,
                    max_new_tokens=params.max_tokens,
                    pad_token_id=tokenizer.pad_token_id,
                )
            written = out[0, len(ids) :].tolist()
            one = SimpleNamespace(token_ids=written, finish_reason="stop", logprobs=None)
            return SimpleNamespace(outputs=[one])

    executor = SingleTurnAgentExecutor(adapter.__file__)
    row = adapter.circuit_row(PROBLEM, style="compact")
    prompt = tokenizer.apply_chat_template(row["input"], tokenize=False, add_generation_prompt=True)
    params = SimpleNamespace(max_tokens=300, logprobs=None)
    for _ in range(4):
        found = asyncio.run(
            executor.execute(prompt, row["label"], params, 1024, tokenizer, Engine())
        )
        length = found["action_ranges"][0][1] - found["action_ranges"][0][0]
        print(f"answer of {length} tokens: reward {found['reward']}, {found['extra_logs']}")


def run_verl() -> None:
    """verl's loader and reward manager on a batch of two answers."""
    import numpy as np
    import torch
    from verl import DataProto
    from verl.trainer.ppo.reward import get_custom_reward_fn
    from verl.workers.reward_manager import get_reward_manager_cls

    from quasar.integrations import verl as adapter

    _, tokenizer = _shipped()
    named = {"path": adapter.__file__, "name": "compute_score", "reward_kwargs": {}}
    config = SimpleNamespace(reward={"custom_reward_function": named})
    row = adapter.circuit_row(PROBLEM)
    prompts = tokenizer(["prompt"] * 2, return_tensors="pt")["input_ids"]
    answers = tokenizer([GOOD, POOR], return_tensors="pt", padding=True, padding_side="right")
    mask = torch.cat([torch.ones_like(prompts), answers["attention_mask"]], dim=1)
    batch = DataProto.from_dict(
        tensors={
            "prompts": prompts,
            "responses": answers["input_ids"],
            "attention_mask": mask,
        },
        non_tensors={
            "data_source": np.array([row["data_source"]] * 2, dtype=object),
            "reward_model": np.array([row["reward_model"]] * 2, dtype=object),
            "extra_info": np.array([{}, {}], dtype=object),
        },
    )
    manager = get_reward_manager_cls("naive")(
        tokenizer, num_examine=0, compute_score=get_custom_reward_fn(config)
    )
    found = manager(batch, return_dict=True)
    print("rewards", found["reward_tensor"].sum(dim=1).tolist())
    print("logged ", dict(found["reward_extra_info"]))


def run_endpoint() -> None:
    """Serves until it is interrupted."""
    import uvicorn

    from quasar.config import load_config
    from quasar.policy.engines.loading import load_engine
    from quasar.serving.api import create_api
    from quasar.serving.models import ServedModel, ServedModels
    from quasar.serving.service import CircuitService
    from quasar.serving.writer import WriterLoop
    from quasar.system.shipped import shipped_run
    from quasar.verification.execution.process import GuardedVerifier

    config = load_config(shipped_run() / "config.yaml")
    engine = load_engine(shipped_run() / "model" / "final", config, device="cpu")
    with GuardedVerifier(config.verification) as verifiers:

        async def verify(checks):
            return await asyncio.to_thread(verifiers.verify, checks)

        writer = WriterLoop(engine, config.generation)
        models = ServedModels([ServedModel("graph-3m", config, writer.write)])
        service = CircuitService(models, verify, config)
        uvicorn.run(create_api(service), port=8123, log_level="warning")


def main() -> None:
    """One of them."""
    runs = {
        "openenv": run_openenv,
        "openrlhf": run_openrlhf,
        "verl": run_verl,
        "endpoint": run_endpoint,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", choices=runs)
    with contextlib.suppress(BrokenPipeError):
        runs[parser.parse_args().library]()


if __name__ == "__main__":
    main()
