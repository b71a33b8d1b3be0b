"""Arguments of `quasar tasks`."""

import argparse
from collections.abc import Callable

from quasar.cli.arguments.types import positive
from quasar.cli.commands import tasks as task_commands


def add_tasks(group: argparse.ArgumentParser, command: Callable) -> None:
    """`quasar tasks`."""
    under = group.add_subparsers(metavar="COMMAND", required=True)
    listed = command(
        "list",
        task_commands.tasks_list,
        "name the tasks that a program can be asked for",
        "quasar tasks list",
        under=under,
    )
    show = command(
        "show",
        task_commands.tasks_show,
        "explain one task: families and sizes, parts of the reward with their weights, an example",
        "quasar tasks show ground_state",
        under=under,
    )
    show.add_argument("name", metavar="NAME", help="as `quasar tasks list` gives it")
    show.add_argument("--family", metavar="NAME", help="of the example; default: the first")
    check = command(
        "check",
        task_commands.tasks_check,
        "check the laws of tasks on random instances: teacher, shortcuts, a second implementation "
        "(exit 1: one is broken)",
        "quasar tasks check stabiliser --instances 200 --max-qubits 25",
        under=under,
    )
    check.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    check.add_argument(
        "--instances", type=positive, default=100, metavar="N", help="of each task; default: 100"
    )
    check.add_argument("--max-qubits", type=positive, default=6, metavar="Q", help="default: 6")
    for made in (listed, show, check):
        made.add_argument("--json", action="store_true", help="print JSON")
