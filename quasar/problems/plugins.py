"""Primitives of other packages: classes that they name in the entry-point group `quasar.problems`.

A package declares `max_cut = "my_module:MaxCut"` there; see `examples/own_problem`.
"""

import inspect
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from quasar.errors import ProblemError
from quasar.problems.base import GraphProblem

GROUP = "quasar.problems"


def installed_classes() -> list[type[GraphProblem]]:
    """The installed classes by entry-point name; ProblemError for one that cannot be used."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    return [_load(found[name]) for name in sorted(found)]


def _load(entry: EntryPoint) -> type[GraphProblem]:
    where = f"entry point {entry.name} = {entry.value} of {GROUP}"
    try:
        cls = entry.load()
    except Exception as error:  # another author's module may raise anything
        reason = f"{type(error).__name__}: {error}"
        raise ProblemError(f"{where}: {reason}; mend or uninstall its package") from error
    if not (isinstance(cls, type) and issubclass(cls, GraphProblem)) or inspect.isabstract(cls):
        raise ProblemError(f"{where}: not a GraphProblem with all its methods; mend its package")
    if getattr(cls, "name", None) != entry.name:
        raise ProblemError(
            f"{where}: the class is named {getattr(cls, 'name', None)!r}; use one name for both"
        )
    if not isinstance(cls.attributes, Mapping):
        raise ProblemError(
            f"{where}: attributes must map each name to an Attribute of quasar.problems.base"
        )
    return cls
