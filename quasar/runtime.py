"""Starting or joining Ray, the same way for every command and job."""

import logging
import math
import os
import socket

from quasar.config import QuasarConfig
from quasar.errors import InputError

# What the process that drives a trial reserves. It only waits, but Tune never starts it with 0.
MAIN_PROCESS_CPUS = 0.1
# What an actor takes of the resource that marks its nodes: so little that it never runs out.
_NODE_SHARE = 0.001

logger = logging.getLogger(__name__)

# What every actor needs in its environment; the driver's own environment is never forwarded.
_WORKER_ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DS_LOG_LEVEL": "error",
    # Threads that wait for each other sleep instead of spinning: actors share the cores in turns.
    "OMP_WAIT_POLICY": "PASSIVE",
}


def cpus_needed(config: QuasarConfig) -> float:
    """Ray CPUs that one training run reserves."""
    return (
        config.learner.num_learners * config.learner.cpus_per_learner
        + config.rollout.num_workers * config.rollout.cpus_per_worker
        + config.verification.num_workers * config.verification.cpus_per_worker
        + MAIN_PROCESS_CPUS
    )


def gpus_needed(config: QuasarConfig) -> float:
    """Ray GPUs that one training run reserves."""
    return (
        config.learner.num_learners * config.learner.gpus_per_learner
        + config.rollout.num_workers * config.rollout.gpus_per_worker
        + config.verification.num_workers * config.verification.gpus_per_worker
    )


def on_nodes(resource: str | None) -> dict[str, float]:
    """Ray resources that keep an actor on the nodes marked so (`*.nodes`); none: on any node."""
    return {resource: _NODE_SHARE} if resource else {}


def _node_marks(config: QuasarConfig) -> set[str]:
    parts = (config.learner, config.rollout, config.verification)
    return {part.nodes for part in parts if part.nodes}


def init_ray(config: QuasarConfig, *, cpus: float | None = None) -> None:
    """Join the cluster of the config or of the job (RAY_ADDRESS), else start a local Ray.

    cpus: what is needed of a local one; default: `cpus_needed`, for a training run. Does nothing
    where Ray is already up. Raises InputError where the address does not answer.
    """
    import ray

    if ray.is_initialized():
        return
    # RLlib's advice on its own API stacks is not for our users.
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)
    # Nor is the core's note on actors that restart (it goes past every Python logger).
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    # Read by RLlib's learner group.
    os.environ.setdefault("TRAIN_PLACEMENT_GROUP_TIMEOUT_S", str(config.learner.start_timeout_s))
    address = config.cluster.address or os.environ.get("RAY_ADDRESS")
    common = dict(
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": _WORKER_ENVIRONMENT | _accelerator_environment()},
    )
    if not address:
        # Ray remembers its last 100,000 tasks: under load an endpoint's memory grew by some 10 MiB
        # a minute for that alone (benchmarks/serving.py --minutes).
        os.environ.setdefault("RAY_task_events_max_num_task_in_gcs", "10000")
        wanted = math.ceil(cpus_needed(config) if cpus is None else cpus)
        num_cpus = max(os.cpu_count() or 1, wanted)
        # This machine is every kind of node.
        marks = dict.fromkeys(_node_marks(config), 1.0)
        ray.init(
            address="local", num_cpus=num_cpus, resources=marks, include_dashboard=False, **common
        )
        return
    try:
        ray.init(address=address, **common)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"Ray at {address!r} does not answer ({reason}); start it with 'ray start --head', set "
            "RAY_AUTH_MODE=token if it asks for a token, or leave cluster.address empty"
        ) from error


def require_free_port(host: str, port: int) -> None:
    """Raises InputError, with the mend, where the address cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                f"{host}:{port} cannot be listened on ({error.strerror}); "
                "give another port: --set serving.port=N"
            ) from None


def warn_if_waiting(config: QuasarConfig) -> None:
    """Say what a training run will wait for, if the cluster has less than it reserves.

    No error: a cluster may grow when asked.
    """
    import ray

    free = ray.available_resources()
    needed = {"CPU": cpus_needed(config), "GPU": gpus_needed(config)}
    missing = sorted(mark for mark in _node_marks(config) if not free.get(mark))
    if missing:
        logger.warning(
            "the run waits for nodes with the Ray resource %s: start some with "
            "`ray start --resources '{\"%s\": 1}'`, or set learner.nodes, rollout.nodes and "
            "verification.nodes to null",
            " and ".join(missing),
            missing[0],
        )
    short = [
        f"{amount:g} {kind}s (free: {free.get(kind, 0.0):g})"
        for kind, amount in needed.items()
        if free.get(kind, 0.0) < amount
    ]
    if short:
        logger.warning(
            "the run waits until the Ray cluster has %s; lower rollout.num_workers, "
            "verification.num_workers or learner.num_learners if it will not",
            " and ".join(short),
        )


def _accelerator_environment() -> dict[str, str]:
    """DeepSpeed picks its accelerator from this; a machine without CUDA trains on the CPU."""
    import torch

    return {"DS_ACCELERATOR": "cuda" if torch.cuda.is_available() else "cpu"}
