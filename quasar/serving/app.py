"""The endpoint on Ray Serve: writer deployments (the models), a verifier deployment, an ingress.

Thin actors around plain objects: a generation engine of each model writes, the verifier pool
verifies (its workers can be killed, so a check always ends), `CircuitService` puts them together
behind FastAPI. `serve_checkpoints` starts it all, `serve_verifier` the same without a model.
"""

import asyncio
import logging
import re
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any

from ray import serve
from ray.exceptions import ActorDiedError, RayError
from ray.serve._private.common import ReplicaState
from ray.serve.config import HTTPOptions
from ray.serve.context import _get_global_client
from ray.serve.exceptions import BackPressureError, RayServeException

from quasar.config import DeviceName, QuasarConfig
from quasar.episodes.sampling import for_turns
from quasar.episodes.turns import TextDelta, TextDeltas, WriteRequest, Written
from quasar.errors import CheckpointError
from quasar.runtime import init_ray, require_free_port
from quasar.schema.circuits import Compiled
from quasar.serving.api import create_api
from quasar.serving.errors import RequestRefused, overloaded, unavailable
from quasar.serving.keys import ApiKeys, configured_keys, require_keys_or_loopback
from quasar.serving.models import (
    Checkpoint,
    ServedModel,
    ServedModels,
    Write,
    endpoint_config,
    require_distinct,
    sharing_processes,
)
from quasar.serving.service import CircuitService, compile_here
from quasar.serving.writer import WriterLoop
from quasar.verification.request import ReportRequest, VerificationResult

logger = logging.getLogger(__name__)

APPLICATION = "quasar"
# Requests that a replica holds. A writer decodes as many candidates together as
# generation.batch_size says; the others wait in its own queue, which costs nothing, where Serve's
# asks again and again.
MAX_ONGOING = 96
MAX_QUEUED = 64  # requests that wait at Serve, as while a replica is replaced; the next is a 503
INGRESS_ONGOING = 10_000  # the ingress refuses what is too much itself, and at once
INGRESS_CPUS = 0.1
CALL_ATTEMPTS = 2  # of a call whose replica died
START_ATTEMPTS = 1  # of a replica: a model that does not load will not load later either


@serve.deployment(
    name="writer",
    max_ongoing_requests=MAX_ONGOING,
    max_queued_requests=MAX_QUEUED,
    max_constructor_retry_count=START_ATTEMPTS,
)
class WriterDeployment:
    """Holds models; decodes the turns of all requests of one model together."""

    def __init__(self, checkpoints: Sequence[Checkpoint]):
        import torch

        cpus = max(checkpoint.config.serving.cpus_per_replica for checkpoint in checkpoints)
        if cpus >= 1:
            torch.set_num_threads(int(cpus))
        self._loops = {checkpoint.name: _writer_loop(checkpoint) for checkpoint in checkpoints}

    def check_health(self) -> None:
        """Asked by Serve now and then; a replica that raises is replaced."""
        for name, loop in self._loops.items():
            if not loop.alive:
                raise RuntimeError(f"the decoding thread of {name} has ended")

    async def write(self, model: str, request: WriteRequest) -> Written:
        """The turns of a request that is not streamed."""
        async with aclosing(self._loops[model].write(request)) as items:
            written = await anext(items)
            assert not isinstance(written, TextDeltas)  # nothing else comes unasked
            return written

    async def stream(
        self, model: str, request: WriteRequest
    ) -> AsyncGenerator[TextDeltas | Written, None]:
        """What the turns gain, then the turns."""
        async with aclosing(self._loops[model].write(request)) as items:
            async for item in items:
                yield item


def _writer_loop(checkpoint: Checkpoint) -> WriterLoop:
    """The engine of a checkpoint, loaded, in a thread that decodes."""
    from quasar.policy.engines.loading import load_engine
    from quasar.policy.models import pick_device

    config = checkpoint.config
    engine = load_engine(
        checkpoint.directory,
        _with_all_turns(config),
        device=pick_device(config.cluster.accelerator),
    )
    return WriterLoop(engine, config.generation)


@serve.deployment(name="verifier", max_ongoing_requests=MAX_ONGOING, max_queued_requests=MAX_QUEUED)
class VerifierDeployment:
    """Owns the verifier pool."""

    def __init__(self, config: QuasarConfig):
        from quasar.verification.execution.pool import VerifierPool

        self.pool = VerifierPool(config.verification, "hierarchical")

    async def verify(self, checks: Sequence[ReportRequest]) -> list[VerificationResult]:
        return await asyncio.to_thread(self.pool.verify, checks)

    async def compile(self, device: DeviceName, circuit: str) -> Compiled:
        return await compile_here(device, circuit)


@serve.deployment(name="ingress", max_ongoing_requests=INGRESS_ONGOING)
@serve.ingress()
class Ingress:
    """HTTP in front of the service, whose functions are calls into the other deployments."""

    def __init__(
        self,
        writers: Sequence[tuple[Checkpoint, Any]],
        verifier: Any,
        config: QuasarConfig,
        keys: ApiKeys,
        *,
        parts: Sequence[str],
        max_requests: int,
    ):
        """writers: who writes for each model; parts: deployments that the work needs."""

        async def verify(checks: Sequence[ReportRequest]) -> list[VerificationResult]:
            return await _call(verifier.verify, checks)

        async def compile(device: DeviceName, circuit: str) -> Compiled:
            return await _call(verifier.compile, device, circuit)

        models = ServedModels(
            [
                ServedModel(checkpoint.name, checkpoint.config, _writing(writer, checkpoint.name))
                for checkpoint, writer in writers
            ]
        )
        self.service = CircuitService(models, verify, config, compile=compile)
        self.parts = parts
        self.max_requests = max_requests
        self.keys = keys

    async def ready(self) -> list[str]:
        """Parts without a running replica."""
        return await asyncio.to_thread(parts_not_running, self.parts)

    def __serve_build_asgi_app__(self) -> Any:
        return create_api(
            self.service, keys=self.keys, ready=self.ready, max_requests=self.max_requests
        )


def _writing(writer: Any, model: str) -> Write:
    """The `Write` of one of the models that a writer deployment holds."""

    async def write(request: WriteRequest) -> AsyncGenerator[TextDeltas | Written, None]:
        if not request.stream:
            yield await _call(writer.write, model, request)
            return
        stream = writer.stream.options(stream=True)
        async with aclosing(_stream(stream, model, request)) as items:
            async for item in items:
                yield item

    return write


async def _call(method: Any, *arguments: Any) -> Any:
    """A deployment's answer; Ray's own failures become refusals that the caller can read.

    What a dead replica was asked is asked once more: a turn and a check give the same wherever
    and how often they are done.
    """
    for _ in range(CALL_ATTEMPTS):
        with _replica_may_die():
            response = method.remote(*arguments)
            try:
                return await response
            except asyncio.CancelledError:  # the caller has gone, or the time is over
                response.cancel()
                raise
    raise _no_answer()


async def _stream(
    method: Any, model: str, request: WriteRequest
) -> AsyncGenerator[TextDeltas | Written, None]:
    """As `_call`, for a request that is streamed. Text that a dead replica had already told is not
    told again by the next one.
    """
    told: Counter[int] = Counter()  # characters of each sample
    for _ in range(CALL_ATTEMPTS):
        passed: Counter[int] = Counter()  # of them, by this replica
        with _replica_may_die():
            response = method.remote(model, request)
            try:
                async for item in response:
                    if isinstance(item, TextDeltas):
                        item = _not_told(item, told, passed)
                    yield item
                return
            finally:
                response.cancel()  # nothing where it has ended
    raise _no_answer()


def _not_told(gained: TextDeltas, told: Counter[int], passed: Counter[int]) -> TextDeltas:
    """What is new of it; counts it as told."""
    new = []
    for delta in gained.deltas:
        known = max(0, told[delta.sample] - passed[delta.sample])
        passed[delta.sample] += len(delta.text)
        if len(delta.text) > known:
            new.append(TextDelta(delta.sample, delta.text[known:]))
        told[delta.sample] = max(told[delta.sample], passed[delta.sample])
    return TextDeltas(tuple(new))


@contextmanager
def _replica_may_die() -> Iterator[None]:
    """Only a death is passed over; Ray's other failures are refusals."""
    try:
        yield
    except BackPressureError:
        raise overloaded() from None
    except ActorDiedError as error:
        logger.warning("a replica died: %s", error)
    except (RayServeException, RayError) as error:
        logger.warning("a deployment did not answer: %s", error)
        raise _no_answer() from None


def _no_answer() -> RequestRefused:
    return unavailable("a part of the endpoint did not answer")


def parts_not_running(parts: Sequence[str]) -> list[str]:
    """Those deployments without a running replica."""
    application = serve.status().applications.get(APPLICATION)
    deployments = application.deployments if application else {}
    return [
        part
        for part in parts
        if part not in deployments or not deployments[part].replica_states.get(ReplicaState.RUNNING)
    ]


def build_application(
    checkpoints: Sequence[Checkpoint], config: QuasarConfig, keys: ApiKeys
) -> Any:
    """The Serve application, ready for `serve.run`; without checkpoints it only verifies.

    The first writer deployment is called `writer`, others `writer-NAME` by their first model.
    """
    writers: dict[str, Any] = {}  # by model
    parts: list[str] = []
    max_requests = 0
    for group in sharing_processes(checkpoints):
        name = f"writer-{_part_of_name(group[0].name)}" if parts else "writer"
        replicas = max(one.config.serving.num_replicas for one in group)
        writer = WriterDeployment.options(
            name=name,
            num_replicas=replicas,
            ray_actor_options={
                "num_cpus": max(one.config.serving.cpus_per_replica for one in group),
                "num_gpus": max(one.config.serving.gpus_per_replica for one in group),
            },
        ).bind(group)
        writers |= {one.name: writer for one in group}
        parts.append(name)
        max_requests += MAX_ONGOING * replicas
    verifier = VerifierDeployment.options(
        num_replicas=config.serving.num_verifiers, ray_actor_options={"num_cpus": 0}
    ).bind(config)
    return Ingress.options(ray_actor_options={"num_cpus": INGRESS_CPUS}).bind(
        [(one, writers[one.name]) for one in checkpoints],
        verifier,
        config,
        keys,
        parts=[*parts, "verifier"],
        max_requests=max_requests or MAX_ONGOING * config.serving.num_verifiers,
    )


def _part_of_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name)


def serve_checkpoints(checkpoints: Sequence[Checkpoint], *, blocking: bool = True) -> str:
    """Start the endpoint and return its URL; with `blocking`, only when it is interrupted.

    checkpoints: at least one, in the order in which models are picked for a task. Raises
    CheckpointError where a directory holds no model, InputError where two have one name or the port
    is taken, ConfigError where others could reach it without a key.
    """
    from quasar.policy.preflight import require_policy

    require_distinct(checkpoints)
    for one in checkpoints:
        turns = one.config.serving.max_turns
        require_policy(one.directory, _with_all_turns(one.config), turns=turns)
    config = endpoint_config([one.config for one in checkpoints])
    return _serve(checkpoints, config, blocking=blocking)


def _with_all_turns(config: QuasarConfig) -> QuasarConfig:
    """With room for as many turns as a request may ask for."""
    generation = for_turns(config.generation, config.serving.max_turns)
    return config.model_copy(update={"generation": generation})


def serve_verifier(config: QuasarConfig, *, blocking: bool = True) -> str:
    """As `serve_checkpoints`, without a model: only `POST /v1/verify` is answered."""
    return _serve([], config, blocking=blocking)


def _serve(checkpoints: Sequence[Checkpoint], config: QuasarConfig, *, blocking: bool) -> str:
    keys = configured_keys(config.serving)
    require_keys_or_loopback(config.serving, config.serving.host, num_keys=len(keys))
    init_ray(config)
    url = _start_http(config, num_keys=len(keys))
    try:
        serve.run(build_application(checkpoints, config, keys), name=APPLICATION)
    except RuntimeError as error:
        reason = _failure() or error
        serve.delete(APPLICATION)
        raise CheckpointError(f"the endpoint did not start: {reason}") from error
    models = ", ".join(one.name for one in checkpoints) or "no model: it verifies only"
    logger.info("answering at %s (%s)", url, models)
    if blocking:
        _wait_until_interrupted()
    return url


def _failure() -> str | None:
    """Last line of the traceback that a deployment which did not start left behind."""
    application = serve.status().applications.get(APPLICATION)
    deployments = application.deployments.values() if application else ()
    lines = "\n".join(deployment.message for deployment in deployments).strip().splitlines()
    return re.sub(r"^quasar\.errors\.\w+: ", "", lines[-1]) if lines else None


def _start_http(config: QuasarConfig, *, num_keys: int) -> str:
    serving = config.serving
    url = f"http://{serving.host}:{serving.port}/"
    if serve.status().proxies:
        client = _get_global_client()
        assert client is not None  # Serve runs
        kept = client.http_config  # Serve tells its address nowhere else
        logger.warning(
            "Serve already runs on this cluster; its own address is kept: %s:%d",
            kept.host,
            kept.port,
        )
        require_keys_or_loopback(serving, str(kept.host), num_keys=num_keys)
        return f"http://{kept.host}:{kept.port}/"
    require_free_port(serving.host, serving.port)
    serve.start(http_options=HTTPOptions(host=serving.host, port=serving.port))
    return url


def _wait_until_interrupted() -> None:
    try:
        threading.Event().wait()
    finally:
        serve.delete(APPLICATION)
