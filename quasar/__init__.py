"""Quasar: a language model learns to write OpenQASM 3 circuits from a quantum verification tool.

`quasar.Client` and `quasar.AsyncClient` ask a running endpoint (docs/endpoint.md). They are loaded
when they are first named, so that `import quasar` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quasar.client import AsyncClient, Client, EndpointError
    from quasar.tool.schema import Problem

__version__ = "0.1.0"
__all__ = ["AsyncClient", "Client", "EndpointError", "Problem"]

_HOMES = {
    "AsyncClient": "quasar.client",
    "Client": "quasar.client",
    "EndpointError": "quasar.client",
    "Problem": "quasar.tool.schema",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'quasar' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
