"""Starting or joining Ray, the same way for every command and job."""

import logging
import math
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from quasar.config import QuasarConfig
from quasar.errors import InputError

# What the process that drives a trial reserves. It only waits, but Tune never starts it with 0.
MAIN_PROCESS_CPUS = 0.1
# What an actor takes of the resource that marks its nodes: so little that it never runs out.
_NODE_SHARE = 0.001
CLUSTER_TIMEOUT_S = 20.0  # longest wait for a cluster that is given by its address

_NOTE_ON_LOG_LEVEL = b"Set ray log level from environment variable RAY_BACKEND_LOG_LEVEL"

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
    # Else DeepSpeed, where this process imports it, warns that it has found no accelerator.
    accelerator = _accelerator_environment()
    for name, value in accelerator.items():
        os.environ.setdefault(name, value)
    # Read by RLlib's learner group.
    os.environ.setdefault("TRAIN_PLACEMENT_GROUP_TIMEOUT_S", str(config.learner.start_timeout_s))
    address = config.cluster.address or os.environ.get("RAY_ADDRESS")
    common: dict[str, Any] = dict(
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": _WORKER_ENVIRONMENT | accelerator},
    )
    if not address:
        # Ray remembers its last 100,000 tasks: under load an endpoint's memory grew by some 10 MiB
        # a minute for that alone (benchmarks/serving.py --minutes).
        os.environ.setdefault("RAY_task_events_max_num_task_in_gcs", "10000")
        wanted = math.ceil(cpus_needed(config) if cpus is None else cpus)
        num_cpus = max(os.cpu_count() or 1, wanted)
        # This machine is every kind of node.
        marks = dict.fromkeys(_node_marks(config), 1.0)
        with _without_note_on_log_level():
            ray.init(
                address="local",
                num_cpus=num_cpus,
                resources=marks,
                include_dashboard=False,
                **common,
            )
        return
    require_cluster(address)
    try:
        with _without_note_on_log_level():
            ray.init(address=address, **common)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"Ray at {address!r} does not answer ({reason}); start it with 'ray start --head', set "
            "RAY_AUTH_MODE=token if it asks for a token, or leave cluster.address empty"
        ) from error


def require_cluster(address: str) -> None:
    """Raises InputError where no Ray cluster answers at the address, within `CLUSTER_TIMEOUT_S`.

    Ray itself tries a dead one for a quarter of an hour.
    """
    reason = cluster_failure(address, timeout_s=CLUSTER_TIMEOUT_S)
    if reason is None:
        return
    raise InputError(
        f"Ray at {address!r} does not answer ({reason}); start it with 'ray start --head', or give "
        "a live one in cluster.address or RAY_ADDRESS (both empty: a local Ray is started)"
    )


def cluster_failure(address: str, *, timeout_s: float) -> str | None:
    """Why no Ray cluster can be reached at an address as `ray.init` takes it; None where one can.

    Asks for the cluster's id, so that a port where something else listens is told apart.
    """
    if address == "local":
        return None
    if address.startswith(("http://", "https://")):
        return "that is a dashboard's address, for `ray job submit`; a cluster's is host:port"
    import grpc
    from ray._private.grpc_utils import init_grpc_channel
    from ray._private.services import canonicalize_bootstrap_address_or_die
    from ray.core.generated.gcs_service_pb2 import (
        GetClusterIdRequest,  # pyright: ignore[reportAttributeAccessIssue]  # made at run time
    )
    from ray.core.generated.gcs_service_pb2_grpc import NodeInfoGcsServiceStub

    place = address.removeprefix("ray://")
    try:
        place = canonicalize_bootstrap_address_or_die(place)
        host, _, port = place.rpartition(":")
        # Names are looked up here, because gRPC's own look-up does not say what failed.
        socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except (ConnectionError, ValueError, OSError) as error:
        return str(error).strip().splitlines()[0]
    channel: grpc.Channel = init_grpc_channel(place)  # pyright: ignore[reportAssignmentType]  # not the asynchronous one
    try:
        grpc.channel_ready_future(channel).result(timeout=timeout_s)
        if not address.startswith("ray://"):  # Ray's client server has other calls
            NodeInfoGcsServiceStub(channel).GetClusterId(GetClusterIdRequest(), timeout=timeout_s)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAUTHENTICATED:  # a cluster; `ray.init` says the rest
            return f"no answer of a Ray cluster: {error.code().name}"
    except grpc.FutureTimeoutError:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=1.0).close()
        except OSError as error:
            return error.strerror or f"no connection within {timeout_s:.0f} s"
        return "something listens there, but no Ray cluster"
    finally:
        channel.close()
    return None


@contextmanager
def _without_note_on_log_level() -> Iterator[None]:
    """Leave out one line that Ray's C++ core writes past every Python logger, and no other.

    The rest of what stderr gets meanwhile is written at the end.
    """
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            held.seek(0)
            with os.fdopen(stderr, "wb") as file:
                file.writelines(line for line in held if _NOTE_ON_LOG_LEVEL not in line)


def require_free_port(host: str, port: int) -> None:
    """Raises InputError, with a hint, where the address cannot be listened on."""
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
