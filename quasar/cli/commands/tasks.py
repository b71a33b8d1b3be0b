"""What the commands on tasks do: as `quasar.cli.commands.jobs`."""

import inspect
import json
import sys
from argparse import Namespace
from typing import Any

from quasar.cli.commands.data import print_summaries
from quasar.cli.settings import load

_EXAMPLE_QUBITS = 3
_LISTED_SIZES = 12


def tasks_list(arguments: Namespace) -> None:
    load(arguments)
    from quasar.tasks import get_task, task_names

    print_summaries({name: get_task(name).summary for name in task_names()}, arguments)


def tasks_show(arguments: Namespace) -> None:
    config = load(arguments)
    shown = _describe(arguments.name, arguments.family, config.reward.weights)
    if arguments.json:
        print(json.dumps(shown, indent=1, ensure_ascii=False))
        return
    print(f"{shown['name']} (version {shown['version']}): {shown['summary']}\n")
    print(shown["definition"] + "\n")
    print("families:")
    width = max(map(len, shown["families"]))
    for name, entry in shown["families"].items():
        sizes = entry["qubits"]
        told = ", ".join(map(str, sizes[:_LISTED_SIZES]))
        more = f", … {sizes[-1]}" if len(sizes) > _LISTED_SIZES else ""
        print(f"  {name:{width}}  {entry['summary']} (qubits: {told or 'any'}{more})")
    print("parts of the reward:")
    for part in shown["parts"].values():
        print(f"  {part['key']} = {part['weight']:g}  {part['meaning']}")
    if "example" in shown:
        print(f"example: {json.dumps(shown['example']['row'], ensure_ascii=False)}")
        print(f"prompt:\n{shown['example']['prompt']}")
        print(f"the teacher's answer:\n{shown['example']['reference']}")


def tasks_check(arguments: Namespace) -> int:
    config = load(arguments)
    from quasar.system.progress import progress_bar
    from quasar.tasks import get_task, task_names
    from quasar.tasks.check import check_task

    names = arguments.names or list(task_names())
    for name in names:  # refused before any work
        get_task(name)
    found = []
    for name in names:
        with progress_bar(name, arguments.instances, show=sys.stderr.isatty()) as advance:
            found.append(
                check_task(
                    name,
                    instances=arguments.instances,
                    max_qubits=arguments.max_qubits,
                    seed=config.run.seed,
                    advance=advance,
                )
            )
    if arguments.json:
        print(json.dumps([check.to_dict() for check in found], indent=1))
    else:
        for check in found:
            _print_check(check)
    return 0 if all(check.passed for check in found) else 1


def _print_check(check: Any) -> None:
    parts = ", ".join(f"{name} {value:.4f}" for name, value in check.reference_parts.items())
    worst = max(check.shortcut_parts.values(), default=0.0)
    print(
        f"{check.task}: {'passed' if check.passed else 'FAILED'}; {check.instances} instances of "
        f"{len(check.by_family)} families in {check.seconds:.0f} s; the teacher succeeds in "
        f"{check.reference_successes}, its least parts: {parts}; shortcuts: at most {worst:.1e}; "
        f"second opinions: {check.second_opinions}"
    )
    for fault in check.faults:
        print(f"  {fault}")
    if check.num_faults > len(check.faults):
        print(f"  and {check.num_faults - len(check.faults)} more")


def _describe(name: str, family: str | None, weights: Any) -> dict[str, Any]:
    """A task told to its user; plain JSON data. Raises TaskError for an unknown task or family."""
    import numpy as np

    from quasar.tasks import get_task
    from quasar.tasks.base import TaskInstance

    task = get_task(name)
    most = task.max_qubits
    shown: dict[str, Any] = {
        "name": task.name,
        "version": task.version,
        "summary": task.summary,
        "definition": inspect.getdoc(sys.modules[type(task).__module__]) or "",
        "instance": inspect.getdoc(type(task)) or "",
        "families": {
            each: {"summary": text, "qubits": list(task.possible_qubits(each, most))}
            for each, text in task.families.items()
        },
        "parts": {
            part: {
                "meaning": spec.meaning,
                "weight": weights.of(task.name, part),
                "key": f"reward.weights.{task.name}.{part}",
            }
            for part, spec in task.parts.items()
        },
    }
    family = task.require_family(family or next(iter(task.families)))
    sizes = shown["families"][family]["qubits"]
    if sizes:
        size = next((n for n in sizes if n >= _EXAMPLE_QUBITS), sizes[-1])
        instance = task.generate(np.random.default_rng(0), family=family, num_qubits=size)
        if isinstance(instance, TaskInstance):
            row = {
                "task": instance.task,
                "family": instance.family,
                "n_qubits": instance.num_qubits,
                "instance": dict(instance.content),
            }
            shown["example"] = {
                "row": row,
                "prompt": task.prompt(instance)[-1]["content"],
                "reference": task.reference(instance, task.facts(instance)),
            }
    return shown
