"""The prompt: one problem instance → chat messages.

States what a reader needs to write the circuit: the graph, the encoding, the qubit order, the cost
Hamiltonian and the ansatz family. Training, evaluation and serving all come here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from quasar.circuits.ansatz import ansatz_names
from quasar.circuits.ansatz.recognition import Recognised, recognise
from quasar.datasets.compact import compact_messages
from quasar.datasets.records import ProblemRecord
from quasar.datasets.task_records import Record, TaskRecord
from quasar.datasets.wordings import free_messages
from quasar.errors import CircuitError, ProblemError
from quasar.problems import get_problem
from quasar.problems.base import GraphProblem, ProblemInstance
from quasar.problems.graphs import natural_key
from quasar.tasks import get_task
from quasar.tasks.base import PromptStyle

SYSTEM = (
    "You write quantum circuits. Answer with one OpenQASM 3 program on the given number of qubits "
    "that measures every qubit at the end, so that low-energy states of the cost Hamiltonian are "
    "measured with high probability."
)
ENCODING = "\nQubit i holds variable i; a qubit measured 0 means that its variable is 1."
MINIMISE = "\nMinimise H = "
ANSATZ = "\nAnsatz: "
# What `graph_text` tells of nodes and edges, in this order.
_NODE_NUMBERS = ("weight", "value", "variance", "return")
_EDGE_NUMBERS = ("capacity", "weight", "covariance")


def build_messages(
    problem: ProblemInstance, *, ansatz: str = "qaoa", layers: int = 1, style: str = "structured"
) -> list[dict[str, str]]:
    """Chat messages (system, user) that ask for a circuit of the named family for `problem`.

    style "free": one of several wordings, the same one for the same problem, that state the graph
    and the size only (`quasar.datasets.wordings`); "compact": Hamiltonian and family only
    (`quasar.datasets.compact`).
    """
    if style == "free":
        return free_messages(problem, layers=layers)
    if style == "compact":
        return compact_messages(problem.hamiltonian, ansatz=ansatz, layers=layers)
    user = (
        f"Problem: {problem.primitive} on {problem.num_qubits} qubits."
        f"\nGraph: {graph_text(problem.graph)}"
        f"{_attributes_text(problem.attributes)}"
        f"{ENCODING}{_variables_text(problem)}{MINIMISE}{hamiltonian_text(problem)}"
        f"{ANSATZ}{ansatz} with {layers} layer{'s' if layers != 1 else ''}."
    )
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]


def record_messages(record: Record, *, style: PromptStyle = "structured") -> list[dict[str, str]]:
    """The messages that ask for an answer to the record, of a graph problem in its own family and
    depth.
    """
    if isinstance(record, TaskRecord):
        return get_task(record.problem.task).prompt(record.problem, style=style)
    ansatz, layers = named_form(record, style=style)
    return build_messages(record.problem, ansatz=ansatz, layers=layers, style=style)


def named_form(record: ProblemRecord, *, style: str) -> tuple[str, int]:
    """(family, layers) that the record's prompt names.

    A compact prompt of a benchmark row, which names no template, names that of its reference, or
    the first one where there is none.
    """
    ansatz, layers = record.ansatz, record.n_layers
    if style != "compact":
        return ansatz, layers
    if ansatz not in ansatz_names():
        found = _recognised(record)
        return ("sim_1", layers) if found is None else (found.ansatz.name, found.layers)
    return ansatz, 1 if ansatz == "adaptive" else layers  # that has one, whatever the row says


def _recognised(record: ProblemRecord) -> Recognised | None:
    program = record.problem.reference_circuit
    try:
        return recognise(program, record.problem.hamiltonian) if program else None
    except CircuitError:
        return None


def _variables_text(problem: ProblemInstance) -> str:
    """The variables in qubit order; nothing where variable i is node i."""
    try:
        meaning = get_problem(problem.primitive).variable
    except ProblemError:  # of a Hamiltonian that no registered primitive made
        return ""
    if meaning == GraphProblem.variable and problem.variables == tuple(
        map(str, range(problem.num_qubits))
    ):
        return ""
    return f"\nVariables by {meaning}: {', '.join(problem.variables)}" if problem.variables else ""


def hamiltonian_text(problem: ProblemInstance) -> str:
    """Terms in the Hamiltonian's own order, e.g. `0.25*Z0*Z1 + -0.5*Z2`; zero terms left out."""
    return " + ".join(
        f"{coefficient:.4g}*" + "*".join(f"Z{q}" for q in wires)
        for coefficient, wires in problem.hamiltonian.interactions()
    )


def graph_text(graph: Mapping[str, Any]) -> str:
    """Edges as `0-1`, directed `0>1`, weighted `0-1:3`; hyperedges as `{0,1,2}`, `{0,!1}:3`.

    Ends without a direction stand in natural order: one edge, one word, however it was given.
    Nodes are listed where they have numbers, as `0:3` or, of two, `0:3/7`.
    """
    if "hyperedges" in graph:
        return " ".join(map(_hyperedge_text, graph["hyperedges"]))
    directed = graph.get("directed")  # not said: the ends stay as they were given
    words = [
        f"{node['id']}:" + "/".join(_number(node[k]) for k in _NODE_NUMBERS if k in node)
        for node in graph["nodes"]
        if isinstance(node, Mapping) and any(k in node for k in _NODE_NUMBERS)
    ]
    for edge in graph["edges"]:
        weight = next((edge[key] for key in _EDGE_NUMBERS if key in edge), None)
        ends = [str(edge["source"]), str(edge["target"])]
        words.append(
            (">" if directed else "-").join(_in_order(ends) if directed is False else ends)
        )
        if weight is not None:
            words[-1] += f":{_number(weight)}"
    return " ".join(words)


def _hyperedge_text(hyperedge: Any) -> str:
    data = hyperedge if isinstance(hyperedge, Mapping) else {"nodes": hyperedge}
    negated = set(map(str, data.get("negated", ())))
    words = ("!" * (node in negated) + node for node in _in_order(data["nodes"]))
    weight = f":{_number(data['weight'])}" if "weight" in data else ""
    return "{" + ",".join(words) + "}" + weight


def _number(value: float) -> str:
    """In six digits where they say it all, else in as many as it needs."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _in_order(nodes: Iterable[Any]) -> list[str]:
    return sorted(map(str, nodes), key=natural_key)


def _attributes_text(attributes: Mapping[str, Any]) -> str:
    shown = {k: _attribute_text(v) for k, v in attributes.items()}
    words = [f"{k}={text}" for k, text in shown.items() if text]
    return "\nWith: " + ", ".join(words) if words else ""


def _attribute_text(value: Any) -> str:
    """A number or text as it is, a list of nodes as `{0,3}`, a graph as above; else empty."""
    if isinstance(value, Mapping) and ("edges" in value or "hyperedges" in value):
        return graph_text(value)
    if isinstance(value, (list, tuple)):
        return "{" + ",".join(map(str, value)) + "}"
    return str(value) if isinstance(value, (int, float, str)) else ""
