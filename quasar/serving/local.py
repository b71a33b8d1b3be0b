"""The endpoint's answer without an endpoint: model and verifier on this machine, for one request.

The same service as behind HTTP, without Ray: the model decodes in a thread, the verifier is a
guarded process of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from quasar.config import QuasarConfig
from quasar.errors import InputError
from quasar.schema.circuits import CircuitRequest, Event
from quasar.serving.errors import RequestRefused
from quasar.serving.models import ServedModel, ServedModels
from quasar.serving.service import CircuitService
from quasar.verification.request import ReportRequest, VerificationResult


def answer_here(
    request: CircuitRequest, model: Path, config: QuasarConfig, *, name: str
) -> Iterator[Event]:
    """The events of the search as they happen, the answer last.

    model: in Hugging Face layout; name: what the answer calls it. Raises InputError for what the
    endpoint would refuse, CheckpointError where there is no model.
    """
    from quasar.episodes.sampling import for_turns
    from quasar.policy.engines.loading import load_engine
    from quasar.policy.models import pick_device
    from quasar.policy.preflight import require_policy
    from quasar.serving.writer import WriterLoop
    from quasar.verification.execution.process import MAX_TRIES, GuardedVerifier

    generation = for_turns(config.generation, request.turns)
    config = config.model_copy(update={"generation": generation})
    require_policy(model, config, turns=request.turns)
    # The verifier starts while the model loads.
    with GuardedVerifier(config.verification, max_tries=MAX_TRIES) as verifiers:
        engine = load_engine(model, config, device=pick_device(config.cluster.accelerator))
        writer = WriterLoop(engine, config.generation)

        async def verify(checks: Sequence[ReportRequest]) -> list[VerificationResult]:
            return await asyncio.to_thread(verifiers.verify, checks)

        models = ServedModels([ServedModel(name, config, writer.write)])
        service = CircuitService(models, verify, config)
        try:
            plan = service.plan(request, stream=request.stream)
            yield from _one_by_one(service.events(plan))
        except RequestRefused as error:
            raise InputError(f"{error.message}; {error.hint}") from error
        finally:
            writer.close()


def _one_by_one(events: AsyncIterator[Event]) -> Iterator[Event]:
    """The events of an asynchronous iterator, in an event loop of their own."""
    with asyncio.Runner() as runner:
        while True:
            try:
                event = runner.run(_next(events))
            except StopAsyncIteration:
                return
            yield event


async def _next(events: AsyncIterator[Event]) -> Event:
    return await anext(events)
