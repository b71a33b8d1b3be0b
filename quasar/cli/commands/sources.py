"""Problems named on the command line, and `quasar problems read`: as `quasar.cli.commands.jobs`."""

from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quasar.cli.settings import load
from quasar.errors import InputError, ProblemError

if TYPE_CHECKING:
    from quasar.schema.verify import Problem

_SHOWN = 12  # variables, terms


def problem_argument(arguments: Namespace, text: str) -> "Problem | str":
    """A file's problem, or words; with --as and --attribute of these arguments."""
    from quasar.schema.sources import read_argument, read_attribute

    return read_argument(text, arguments.primitive, dict(map(read_attribute, arguments.attribute)))


def problems_read(arguments: Namespace) -> None:
    """What was understood of a file."""
    load(arguments)
    from quasar.problems.readers.sources import possible_problems, read_file, state
    from quasar.schema.sources import as_problem, read_attribute

    path, wanted = arguments.file, arguments.primitive
    reading = read_file(path, wanted, arguments.format)
    fitting = possible_problems(reading) if reading.primitive is None else []
    name = wanted or reading.primitive or reading.usual
    try:
        if name is None:
            stated = None
        else:
            stated = state(reading, name, dict(map(read_attribute, arguments.attribute)))
            problem = as_problem(stated)
    except ProblemError as error:
        raise InputError(f"{path}: {error}") from error
    if stated is None:
        if arguments.json:
            raise InputError(f"{path}: say which problem it is: --as {', '.join(fitting)}")
        _print({"file": path, "format": reading.form, **_graph_lines(reading.graph)})
        listed = ", ".join(fitting) or "nothing without attributes"
        _print({"fits": f"{listed} (choose: --as NAME)"})
        return
    if arguments.json:
        print(problem.model_dump_json(indent=1))
        return
    told: dict[str, Any] = {"file": path, "format": stated.form, "problem": stated.primitive}
    _print({**told, **_graph_lines(stated.graph)})
    if stated.attributes:
        _print({"attributes": ", ".join(f"{k}={v}" for k, v in stated.attributes.items())})
    for note in stated.notes:
        _print({"note": note})
    if fitting and wanted is None:
        _print({"fits too": f"{', '.join(n for n in fitting if n != name)} (choose: --as NAME)"})
    _print(_built_lines(problem, path))


def _built_lines(problem: "Problem", path: Any) -> dict[str, Any]:
    from quasar.datasets.prompts import hamiltonian_text
    from quasar.schema.verify import to_instance

    try:
        instance = to_instance(problem, max_qubits=10**6)
    except ProblemError as error:
        raise InputError(f"{path}: {error}") from error
    variables = list(instance.variables)
    more = f", … {variables[-1]}" if len(variables) > _SHOWN else ""
    terms = hamiltonian_text(instance).split(" + ")
    rest = f" + … ({len(terms)} terms)" if len(terms) > _SHOWN else ""
    return {
        "qubits": instance.num_qubits,
        "variables": ", ".join(variables[:_SHOWN]) + more,
        "H": " + ".join(terms[:_SHOWN]) + rest,
    }


def _graph_lines(graph: Any) -> dict[str, Any]:
    """Nodes, edges and the range of each of their numbers."""
    if not isinstance(graph, Mapping):
        return {}
    parts = {name: graph.get(name) for name in ("nodes", "edges", "links", "hyperedges")}
    counts = [f"{len(v)} {name}" for name, v in parts.items() if isinstance(v, list)]
    numbers: dict[str, list[float]] = {}
    for name, entries in parts.items():
        for entry in entries if isinstance(entries, list) else ():
            for key, value in _numbers(entry, name):
                numbers.setdefault(key, []).append(value)
    told = [f"{key} {min(v):g} to {max(v):g}" for key, v in numbers.items()]
    direction = {"True": "directed", "False": "undirected"}.get(str(graph.get("directed")))
    shown = [*counts, *([direction] if direction else []), *told]
    return {"graph": ", ".join(shown)}


def _numbers(entry: Any, part: str) -> list[tuple[str, float]]:
    if isinstance(entry, list) and len(entry) == 3 and part == "edges":
        return [("weight of edges", entry[2])] if isinstance(entry[2], (int, float)) else []
    if not isinstance(entry, Mapping):
        return []
    return [
        (f"{key} of {part}", value)
        for key, value in entry.items()
        if key not in ("id", "source", "target")
        and isinstance(value, (int, float))
        and not isinstance(value, bool)
    ]


def _print(lines: Mapping[str, Any]) -> None:
    for key, value in lines.items():
        print(f"{key:10} {value}")
