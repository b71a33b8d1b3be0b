"""What a model was trained on, and what a request asks of it beyond that.

Takes the configuration that a model brings along; says in plain sentences where a problem or a
family lies outside.
"""

from typing import Any

from quasar.circuits.ansatz import ansatz_names, get_ansatz
from quasar.config import QuasarConfig
from quasar.problems import ProblemInstance
from quasar.tasks.base import TaskInstance


def trained_families(config: QuasarConfig) -> tuple[str, ...]:
    """Families and templates, as `dataset.ansatze` names them."""
    new = config.sft.stream.ansatze if _streams_new_problems(config) else ()
    return tuple(dict.fromkeys([*config.dataset.ansatze, *new]))


def _streams_new_problems(config: QuasarConfig) -> bool:
    streamed = config.sft.stream
    return streamed.examples > 0 and streamed.fresh > 0


def trained_range(config: QuasarConfig) -> dict[str, Any]:
    """What `GET /v1/models` says of it. primitives: of its examples; a model of compact prompts
    sees their Hamiltonians alone and takes any problem of these sizes. instances: of each other
    task, by family (None: all of them).
    """
    dataset = config.dataset
    return {
        "tasks": list(dataset.tasks),
        "primitives": list(dataset.primitives),
        "min_qubits": dataset.min_qubits,
        "max_qubits": dataset.max_qubits,
        "ansatze": list(trained_families(config)),
        "layers": sorted(_depths(config)),
        "prompts": dataset.prompts,
        "style": dataset.style,
        "instances": {
            task: [
                {"family": r.family, "min_qubits": r.min_qubits, "max_qubits": r.max_qubits}
                for r in ranges
            ]
            for task, ranges in dataset.ranges.items()
        },
    }


def task_outside_training(config: QuasarConfig, instance: TaskInstance) -> list[str]:
    """As `outside_training`, of an instance of a task that the model was trained on."""
    dataset = config.dataset
    ranges, n = dataset.ranges[instance.task], instance.num_qubits
    if not any(r.min_qubits <= n <= r.max_qubits for r in ranges):
        told = sorted({(r.min_qubits, r.max_qubits) for r in ranges})
        sizes = ", ".join(f"{a} to {b}" if a != b else str(a) for a, b in told)
        return [f"the instance has {n} qubits, the model was trained on {sizes}"]
    here = [r.family for r in ranges if r.min_qubits <= n <= r.max_qubits]
    if None in here or instance.family in here:
        return []
    return [
        f"the instance is of {instance.family} on {n} qubits, the model was trained there on "
        f"{', '.join(name for name in here if name)}"
    ]


def outside_training(
    config: QuasarConfig,
    problem: ProblemInstance,
    *,
    ansatz: str,
    layers: int,
    constrained: bool = True,
) -> list[str]:
    """A sentence for each way in which the question is not one that the model was trained on.

    constrained: whether its answers are held to the grammar.
    """
    dataset, found = config.dataset, []
    n = problem.num_qubits
    if not dataset.min_qubits <= n <= dataset.max_qubits:
        found.append(
            f"the problem has {n} qubits, the model was trained on {dataset.min_qubits} to "
            f"{dataset.max_qubits}"
        )
    # A compact prompt says nothing of the problem but its Hamiltonian.
    if dataset.prompts != "compact" and problem.primitive not in dataset.primitives:
        found.append(
            f"the problem is {problem.primitive}, the model was trained on "
            f"{', '.join(dataset.primitives)}"
        )
    families = trained_families(config)
    known = ansatz in ansatz_names()  # else a benchmark row's, which names no template
    if known and not {ansatz, get_ansatz(ansatz).family} & set(families):
        found.append(f"the ansatz is {ansatz}, the model was trained on {', '.join(families)}")
    depths = _depths(config)
    if ansatz != "adaptive" and layers not in depths:
        listed = ", ".join(map(str, sorted(depths)))
        found.append(f"the ansatz has {layers} layers, the model was trained on {listed}")
    if config.sft.loss == "choices" and not constrained:
        found.append(
            "the answer is not constrained, the model was trained on what the grammar leaves open"
        )
    return found


def _depths(config: QuasarConfig) -> set[int]:
    new = config.sft.stream.layers if _streams_new_problems(config) else ()
    return {*config.dataset.layers, *new}
