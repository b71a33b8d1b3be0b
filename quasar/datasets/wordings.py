"""Free-text prompts: what a person might write, in several wordings.

They carry what the published system's prompts carry and no more: number of qubits and layers, the
problem's name and parameters, the graph as JSON. Encoding, qubit order, Hamiltonian and family are
left for the model to know. A problem is always asked in the same wording.
"""

import json
import zlib
from typing import Any

from quasar.errors import ProblemError
from quasar.problems import get_problem
from quasar.problems.base import ProblemInstance

SYSTEM = (
    "You are an assistant for quantum computing. You answer with a valid OpenQASM 3 program whose "
    "gate angles are chosen so that measuring it gives a right answer with high probability."
)
# Slots: qubits, layers, name, question, details (with a leading space, or empty), graph.
WORDINGS = (
    "Write an OpenQASM 3 circuit on {qubits} qubits with {layers} for the {name} problem. "
    "{question}{details} The graph is {graph}. Choose the angles as well as you can.",
    "Here is a graph: {graph}. {question}{details} Solve this {name} problem by a quantum circuit "
    "in OpenQASM 3; it has {qubits} qubits and {layers}.",
    "I need a {qubits}-qubit program in OpenQASM 3, {layers} deep. {question}{details} The "
    "instance of {name} to be solved: {graph}",
    "Problem: {name}. {question}{details} Instance: {graph}. Answer with OpenQASM 3 on {qubits} "
    "qubits, {layers}, and good values for its parameters.",
    "{question}{details} This {name} instance, {graph}, takes {qubits} qubits. Which OpenQASM 3 "
    "circuit with {layers} measures an answer most often?",
)


def free_messages(problem: ProblemInstance, *, layers: int) -> list[dict[str, str]]:
    """Chat messages (system, user) in the problem's own wording."""
    wording = WORDINGS[zlib.crc32(problem.key.encode()) % len(WORDINGS)]
    text = free_text(problem, wording, layers=layers)
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]


def free_text(problem: ProblemInstance, wording: str, *, layers: int) -> str:
    """The problem in that wording, one of WORDINGS."""
    return wording.format(
        qubits=problem.num_qubits,
        layers=f"{layers} layer{'s' if layers != 1 else ''}",
        name=problem.primitive.replace("_", " "),
        question=_question(problem.primitive),
        details=_details(problem.attributes),
        graph=_compact(problem.graph),
    )


def _question(primitive: str) -> str:
    try:
        return get_problem(primitive).summary
    except ProblemError:
        return "Find an optimal answer."


def _details(attributes: Any) -> str:
    words = [
        f"{name.replace('_', ' ')}: {value if isinstance(value, str) else _compact(value)}"
        for name, value in attributes.items()
        if value is not None
    ]
    return " Given: " + "; ".join(words) + "." if words else ""


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
