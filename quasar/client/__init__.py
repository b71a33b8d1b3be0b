"""The client of the endpoint, for Python: `Client` and `AsyncClient`.

`client` has both, `requests` makes what is sent, `readings` reads what comes back (both without
input or output, so that they are written once), `retries` says when a call is made again, `errors`
what may be raised, `answers` the answers that `quasar.schema.circuits` does not have. Neither loads
torch, Ray or Qiskit.
"""

from quasar.client.answers import ModelFacts
from quasar.client.client import AsyncClient, Client
from quasar.client.errors import (
    AuthenticationError,
    BadRequest,
    EndpointError,
    EndpointTimeout,
    EndpointUnavailable,
    RateLimited,
)
from quasar.client.requests import CircuitOptions
from quasar.schema.circuits import CircuitAnswer, Event
from quasar.schema.verify import Problem, VerifyAnswer

__all__ = [
    "AsyncClient",
    "AuthenticationError",
    "BadRequest",
    "CircuitAnswer",
    "CircuitOptions",
    "Client",
    "EndpointError",
    "EndpointTimeout",
    "EndpointUnavailable",
    "Event",
    "ModelFacts",
    "Problem",
    "RateLimited",
    "VerifyAnswer",
]
