"""What tests of evaluations share: two small problems, and programs whose answers are known."""

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import config_from_dict

# The warm start takes most of the time and no part in what is compared here.
QUICK = config_from_dict(
    {
        "verification": {"gradient_evaluations": 0},
        "evaluation": {"device": "none", "random_draws": 2},
    }
)
PATH = {
    "directed": False,
    "multigraph": False,
    "graph": {},
    "nodes": [{"id": 0}, {"id": 1}, {"id": 2}],
    "edges": [{"source": 0, "target": 1}, {"source": 1, "target": 2}],
}
TRIANGLE = {**PATH, "edges": [*PATH["edges"], {"source": 0, "target": 2}]}


def qasm(*gates: Gate, num_qubits: int = 3) -> str:
    return Circuit(num_qubits, gates).to_qasm()


UNIFORM = qasm(*(Gate("h", (q,)) for q in range(3)))
# A variable is 1 where its qubit is measured 0: this answers {node 1}, the optimal cover of PATH.
COVER = qasm(Gate("x", (0,)), Gate("x", (2,)))
FIRST = qasm(Gate("x", (1,)), Gate("x", (2,)))  # answers {node 0}
EMPTY = qasm()  # all nodes: feasible, not optimal


def answers(index: int, *completions: str) -> dict:
    return {"sample_index": index, "completions": list(completions)}
