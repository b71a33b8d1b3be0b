"""Whether a task keeps the laws that training on it relies on, over many random instances.

Takes a task; gives a `TaskCheck`: the teacher reaches what it aims at, no shortcut and no baseline
scores, the program survives being written and read, the instance being written and read, and an
independent implementation agrees (`Task.second_opinion`).
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from quasar.circuits.qasm import Limits
from quasar.errors import TaskError
from quasar.tasks import get_task
from quasar.tasks.base import Task

DUST = 1e-6  # what a part of a trivial answer may be by rounding
_MOST_FAULTS = 20  # told


@dataclass
class TaskCheck:
    """What was found; `faults` in words, the first ones. Parts are the least or the largest met."""

    task: str
    instances: int = 0
    by_family: dict[str, int] = field(default_factory=dict)
    reference_parts: dict[str, float] = field(default_factory=dict)  # least
    reference_successes: int = 0
    shortcut_parts: dict[str, float] = field(default_factory=dict)  # largest, by shortcut
    shortcut_successes: int = 0
    second_opinions: int = 0  # asked for and given
    num_faults: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether no law was broken."""
        return self.instances > 0 and not self.num_faults

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, ready for JSON."""
        return {**asdict(self), "passed": self.passed}

    def fault(self, text: str) -> None:
        """Note a broken law."""
        self.num_faults += 1
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(text)


def check_task(
    name: str,
    *,
    instances: int,
    max_qubits: int,
    seed: int = 0,
    families: tuple[str, ...] = (),
    advance: Callable[[int], None] = lambda done: None,
) -> TaskCheck:
    """Check random instances, families and sizes in turn. Raises TaskError for an unknown task or
    family, and where no family has an instance of at most max_qubits.
    """
    task, began = get_task(name), time.perf_counter()
    task.warm_up()
    for family in families:
        task.require_family(family)
    cells = [
        (family, n)
        for family in families or tuple(task.families)
        for n in task.possible_qubits(family, max_qubits)
    ]
    if not cells:
        raise TaskError(f"{name}: no family has instances of at most {max_qubits} qubits")
    found = TaskCheck(name)
    order = np.random.default_rng([seed, 0]).permutation(len(cells))
    for index in range(instances):
        family, n = cells[order[index % len(cells)]]
        rng = np.random.default_rng([seed, 1, index])
        try:
            _check_one(task, family, n, rng, found)
        except Exception as error:  # a law that is broken so badly is told like any other
            found.fault(f"{family} {n}q #{index}: {type(error).__name__}: {error}")
        found.instances += 1
        found.by_family[family] = found.by_family.get(family, 0) + 1
        advance(index + 1)
    found.seconds = time.perf_counter() - began
    return found


def _check_one(
    task: Task[Any, Any, Any], family: str, n: int, rng: np.random.Generator, found: TaskCheck
) -> None:
    instance = task.generate(rng, family=family, num_qubits=n)
    where = f"{family} {n}q {instance.key}"
    if hasattr(instance, "content"):
        content = json.loads(json.dumps(dict(instance.content)))
        if task.read(family, content, num_qubits=n).key != instance.key:
            found.fault(f"{where}: reads back as another instance")
    facts = task.facts(instance)
    limits = Limits(max_qubits=n)
    circuit = task.read_program(task.reference(instance, facts), instance, limits)
    signals = task.grade(instance, circuit, facts)
    for part, enough in task.aimed(instance).items():
        value = signals.parts[part]
        found.reference_parts[part] = min(value, found.reference_parts.get(part, 1.0))
        if value < enough:
            found.fault(f"{where}: the teacher's {part} is {value:.4f}")
    found.reference_successes += signals.success
    if not signals.success:
        found.fault(f"{where}: the teacher does not succeed")
    told = task.second_opinion(instance, circuit, facts)
    found.second_opinions += told is not None
    if told:
        found.fault(f"{where}: {told}")
    trivial = {**task.baseline_circuits(facts), **task.shortcuts(instance, facts)}
    for name, shortcut in trivial.items():
        signals = task.grade(instance, shortcut, facts)
        best = max(signals.parts.values())
        found.shortcut_parts[name] = max(best, found.shortcut_parts.get(name, 0.0))
        found.shortcut_successes += signals.success
        if best > DUST:
            found.fault(f"{where}: {name!r} scores {best:.4g}")
