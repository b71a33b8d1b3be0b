"""Primitives of other packages: classes that they name in the entry-point group `quasar.problems`.

A package declares `dominating_set = "my_module:DominatingSet"` there; see `examples/own_problem`.
"""

from collections.abc import Mapping

from quasar import plugins
from quasar.errors import ProblemError
from quasar.problems.base import GraphProblem

GROUP = "quasar.problems"


def installed_classes() -> list[type[GraphProblem]]:
    """The installed classes by entry-point name; ProblemError for one that cannot be used."""
    found = plugins.installed_classes(GROUP, GraphProblem, error=ProblemError)
    for cls in found:
        if not isinstance(cls.attributes, Mapping):
            raise ProblemError(
                f"entry point {cls.name} = {cls.__module__}:{cls.__name__} of {GROUP}: attributes "
                "must map each name to an Attribute of quasar.problems.base"
            )
    return found
