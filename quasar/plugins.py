"""Classes of installed packages: what they name in an entry-point group.

Takes a group and the class that all must be of; gives the classes by name. Knows nothing of what
they are for: `quasar.problems.plugins` and `quasar.tasks` ask.
"""

import inspect
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from quasar.errors import QuasarError

Plugin = TypeVar("Plugin")


def installed_classes(
    group: str, base: type[Plugin], *, error: type[QuasarError]
) -> list[type[Plugin]]:
    """The installed classes by entry-point name; `error` for one that cannot be used.

    A class has a name of its own, `name`, which is that of its entry point.
    """
    found = {entry.name: entry for entry in entry_points(group=group)}
    return [_load(found[name], group, base, error) for name in sorted(found)]


def load_class(place: str) -> type:
    """The class at "module:Class", of Quasar itself: a floor below names it, as an entry point
    would.
    """
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def names_in(group: str, own: Mapping[str, str]) -> tuple[str, ...]:
    """Names that there are, without loading anything: Quasar's own, then those of packages."""
    return tuple(dict.fromkeys([*own, *sorted(entry.name for entry in entry_points(group=group))]))


def _load(
    entry: EntryPoint, group: str, base: type[Plugin], error: type[QuasarError]
) -> type[Plugin]:
    where = f"entry point {entry.name} = {entry.value} of {group}"
    try:
        cls = entry.load()
    except Exception as fault:  # another author's module may raise anything
        reason = f"{type(fault).__name__}: {fault}"
        raise error(f"{where}: {reason}; fix or uninstall its package") from fault
    if not (isinstance(cls, type) and issubclass(cls, base)) or inspect.isabstract(cls):
        raise error(f"{where}: not a {base.__name__} with all its methods; fix its package")
    name = getattr(cls, "name", None)
    if name != entry.name:
        raise error(f"{where}: the class is named {name!r}; use one name for both")
    return cls
