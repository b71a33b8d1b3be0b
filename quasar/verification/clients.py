"""The client that a command grades with: a Ray pool on a cluster, guarded processes without one."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from quasar.config import QuasarConfig
from quasar.verification.execution.process import MAX_TRIES, GuardedVerifier
from quasar.verification.request import VerificationClient


@contextmanager
def open_verifiers(
    config: QuasarConfig, *, num_workers: int, formula: str = "hierarchical"
) -> Iterator[VerificationClient]:
    """Verifiers until the context is left; their reports have what `formula` needs.

    On the nodes of a cluster where the configuration or the job names one, else as processes of
    this machine. Raises TrainingError where a cluster has no room for them, InputError where it
    does not answer.
    """
    verification = config.verification.model_copy(update={"num_workers": num_workers})
    if not (config.cluster.address or os.environ.get("RAY_ADDRESS")):
        with GuardedVerifier(
            verification, formula, num_workers=num_workers, max_tries=MAX_TRIES
        ) as verifiers:
            yield verifiers
        return
    from quasar.runtime import init_ray
    from quasar.verification.execution.pool import VerifierPool

    init_ray(config)
    with closing(VerifierPool(verification, formula)) as pool:
        yield pool
