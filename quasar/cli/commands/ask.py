"""What `quasar ask` does: as `quasar.cli.commands.jobs`.

The search is told on stderr as it happens, the answer is printed on stdout. An endpoint answers
where one is named or runs at the usual place; else the model that comes with the package, here.
"""

import json
import os
import socket
import sys
from argparse import Namespace
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from quasar.cli.commands.sources import problem_argument
from quasar.cli.settings import existing, load, sets_model, take_model
from quasar.config import QuasarConfig
from quasar.config.task_names import GRAPH_TASK
from quasar.errors import ConfigError, InputError, ProblemError
from quasar.system.run_paths import model_directory

if TYPE_CHECKING:
    from quasar.client import CircuitAnswer, Event

_OPTIONS = (
    "model", "samples", "turns", "tools", "temperature", "constrained", "ansatz", "device", "seed",
    "style",
)  # fmt: skip
_STANDARD_INPUT = "-"
_MAX_KEY_BYTES = 4096


def ask(arguments: Namespace) -> int:
    """Exit code 1 where no candidate was valid."""
    if arguments.url is not None and sets_model(arguments):
        raise ConfigError("--url and --set policy.model: name one of them")
    here = _answers_here(arguments)
    if here and arguments.model is not None:
        raise ConfigError(
            f"--model {arguments.model}: goes with an endpoint, and none is asked; name a model of "
            "this machine by --checkpoint"
        )
    asked = cache(lambda: _problem(arguments))  # standard input is read once
    if here:
        take_model(arguments, lambda: (_task_of(asked()),))
    config = load(arguments)
    output = arguments.output
    if output is not None and not output.parent.is_dir():  # before there is an answer to lose
        raise InputError(f"--output {output}: {output.parent} is no directory")
    problem = asked()
    options = {name: getattr(arguments, name) for name in _OPTIONS}
    if here:
        answer = _followed(_events_here(arguments, config, problem, options))
    else:
        key = None if arguments.api_key_file is None else _read_key(arguments.api_key_file)
        from quasar.client import Client

        with Client(arguments.url, key, timeout=arguments.timeout) as client:
            answer = _followed(client.stream(problem, **options))
    from quasar.system.plain_text import one_line, printable_lines

    program = "".join(f"{line}\n" for line in printable_lines(answer.circuit or ""))
    if output is not None and answer.valid:
        try:
            output.write_text(program, "utf-8")
        except OSError as error:
            raise InputError(f"--output {output}: cannot be written: {error.strerror}") from error
    if arguments.json:
        print(json.dumps(answer.model_dump(mode="json"), indent=1))
    elif not arguments.qasm:
        from rich.console import Console

        from quasar.cli.views.answer import answer_text

        console = Console(highlight=False)
        console.print(answer_text(answer, config.verification, width=console.width))
    elif answer.valid:
        print(program, end="")
    else:
        print(one_line(answer.message, max_chars=1000), file=sys.stderr)
    return 0 if answer.valid else 1


def _answers_here(arguments: Namespace) -> bool:
    """Whether no endpoint is asked: a model is named, or no endpoint is and none answers."""
    from quasar.client.requests import DEFAULT_URL, URL_VARIABLE

    if arguments.checkpoint is not None or sets_model(arguments):
        return True
    if arguments.url is not None or os.environ.get(URL_VARIABLE):
        return False
    place = urlsplit(DEFAULT_URL)
    try:
        socket.create_connection((place.hostname or "", place.port or 80), timeout=1).close()
    except OSError:
        return True
    return False


def _events_here(
    arguments: Namespace,
    config: QuasarConfig,
    problem: dict[str, Any] | str,
    options: dict[str, Any],
) -> Iterator["Event"]:
    from quasar.client.requests import circuit_body
    from quasar.schema.circuits import CircuitRequest
    from quasar.serving.local import answer_here

    request = CircuitRequest.model_validate_json(circuit_body(problem, options, stream=True))
    model = model_directory(arguments.checkpoint)
    return answer_here(request, model, config, name=arguments.checkpoint.resolve().name)


def _followed(events: Iterator["Event"]) -> "CircuitAnswer":
    """The answer; what happens until it comes is told on stderr, one line a turn."""
    from rich.console import Console

    from quasar.cli.views.answer import Progress
    from quasar.client import CircuitAnswer

    console, progress = Console(stderr=True, highlight=False), Progress()
    with console.status("waiting for an answer") as status:
        for event in events:
            if isinstance(event, CircuitAnswer):
                answer = event
                continue
            line, next_status = progress.told(event)
            if line is not None:
                console.print(line, soft_wrap=True)
            if next_status is not None:
                status.update(next_status)
    return answer


def _task_of(problem: dict[str, Any] | str) -> str:
    """The task that the request is about; what cannot be read is told where it is answered."""
    if not isinstance(problem, str):
        return problem.get("task") or GRAPH_TASK
    from quasar.schema.words.tasks import read_task

    try:
        found = read_task(problem)
    except ProblemError:
        return GRAPH_TASK
    return GRAPH_TASK if found is None else found.instance.task


def _problem(arguments: Namespace) -> dict[str, Any] | str:
    """Words, a problem of a file, or a row of a file without what the endpoint does not read."""
    text, file, index = arguments.text, arguments.problems, arguments.index
    if (text is None) == (file is None):
        raise InputError(
            'give the problem in words, as in quasar ask "vertex cover of 0-1 1-2", as a file, or '
            "by --problems and --index"
        )
    if file is None:
        if index is not None:
            raise InputError("--index goes with --problems")
        if text == _STANDARD_INPUT:
            return _read_text()
        stated = problem_argument(arguments, text)
        return stated if isinstance(stated, str) else stated.model_dump(mode="json")
    if arguments.primitive is not None or arguments.attribute:
        raise InputError("--as and --attribute go with a file of one problem, not with --problems")
    if index is None:
        raise InputError(f"--problems {file}: name a row by --index")
    from quasar.datasets.io import find_row
    from quasar.datasets.records import CORE_FIELDS
    from quasar.datasets.task_records import TASK_FIELDS, is_task_row, read_record

    line, row = find_row(existing(file, "--problems"), index)
    try:
        read_record(row)  # said here, with the line
    except InputError as error:
        raise InputError(f"{file} line {line}: {error}") from error
    sent = {*(TASK_FIELDS if is_task_row(row) else CORE_FIELDS)} - {"reference_circuit"}
    return {name: value for name, value in row.items() if name in sent}


def _read_text() -> str:
    from quasar.schema.circuits import MAX_TEXT

    # One character more than the endpoint takes, so that it can be said what is too long.
    return sys.stdin.buffer.read(4 * MAX_TEXT + 1).decode("utf-8-sig", errors="replace")


def _read_key(path: Path) -> str:
    try:
        with path.open("rb") as file:
            key = file.read(_MAX_KEY_BYTES).decode("utf-8-sig", errors="replace").strip()
    except OSError as error:
        raise InputError(f"--api-key-file {path}: cannot be read: {error.strerror}") from error
    if not key:
        raise InputError(f"--api-key-file {path}: is empty; it holds what quasar keys new printed")
    return key
