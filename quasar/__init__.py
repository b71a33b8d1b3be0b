"""Quasar: a language model learns to write OpenQASM 3 circuits from a quantum verification tool.

`quasar.Client` and `quasar.AsyncClient` ask a running endpoint (docs/endpoint.md). They are loaded
when they are first named, so that `import quasar` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from quasar.system.caches import use_writable_caches

if TYPE_CHECKING:
    from quasar.client import AsyncClient, Client, EndpointError
    from quasar.schema.sources import read_problem_from as read_problem
    from quasar.schema.verify import Problem
    from quasar.schema.verifying import verify

__version__ = "0.1.0"

use_writable_caches()  # before any library looks for its own
__all__ = ["AsyncClient", "Client", "EndpointError", "Problem", "read_problem", "verify"]

# name: its module, and its name there
_HOMES = {
    "AsyncClient": ("quasar.client", "AsyncClient"),
    "Client": ("quasar.client", "Client"),
    "EndpointError": ("quasar.client", "EndpointError"),
    "Problem": ("quasar.schema.verify", "Problem"),
    "verify": ("quasar.schema.verifying", "verify"),
    "read_problem": ("quasar.schema.sources", "read_problem_from"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'quasar' has no attribute {name!r}")
    module, there = _HOMES[name]
    return getattr(import_module(module), there)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
