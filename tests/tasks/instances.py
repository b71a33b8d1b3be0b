"""Random instances of every task for the tests, and what many of them need."""

from functools import cache

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.tasks import get_task

NAMES = ("ground_state", "state_preparation", "stabiliser")
MOST_QUBITS = 4


def cells(name: str, most: int = MOST_QUBITS) -> list[tuple[str, int]]:
    task = get_task(name)
    return [(f, n) for f in task.families for n in task.possible_qubits(f, most)]


@cache
def made(name: str, family: str, num_qubits: int, seed: int = 0):
    """(task, instance, facts)."""
    task = get_task(name)
    rng = np.random.default_rng([seed, num_qubits])
    instance = task.generate(rng, family=family, num_qubits=num_qubits)
    return task, instance, task.facts(instance)


def random_circuit(num_qubits: int, rng: np.random.Generator, *, local: bool, clifford: bool):
    """Gates on single qubits, or with entangling ones among them."""
    one = ("h", "s", "x", "z") if clifford else ("ry", "rz", "h")
    gates = []
    for _ in range(4 * num_qubits):
        if not local and num_qubits > 1 and rng.random() < 0.4:
            pair = tuple(map(int, rng.permutation(num_qubits)[:2]))
            gates.append(Gate(str(rng.choice(["cx", "cz"])), pair))
            continue
        name = str(rng.choice(one))
        angles = (float(rng.uniform(-3, 3)),) if name.startswith("r") else ()
        gates.append(Gate(name, (int(rng.integers(num_qubits)),), angles))
    return Circuit(num_qubits, tuple(gates))
