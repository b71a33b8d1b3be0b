"""What `quasar ask` does: as `quasar.commands`, for `quasar.cli`.

The search is told on stderr as it happens, the answer is printed on stdout.
"""

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from quasar.commands import existing, load
from quasar.errors import InputError

if TYPE_CHECKING:
    from quasar.client import CircuitAnswer, Client, Problem

_OPTIONS = ("samples", "turns", "temperature", "constrained", "ansatz", "device", "seed")
_STANDARD_INPUT = "-"
_MAX_KEY_BYTES = 4096


def ask(arguments: Namespace) -> int:
    """Exit code 1 where no candidate was valid."""
    config = load(arguments)
    output = arguments.output
    if output is not None and not output.parent.is_dir():  # before there is an answer to lose
        raise InputError(f"--output {output}: {output.parent} is no directory")
    problem = _problem(arguments)
    key = None if arguments.api_key_file is None else _read_key(arguments.api_key_file)
    from quasar.client import Client

    with Client(arguments.url, key, timeout=arguments.timeout) as client:
        answer = _followed(client, problem, arguments)
    from quasar.plain_text import one_line, printable_lines

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

        from quasar.answer_view import answer_text

        console = Console(highlight=False)
        console.print(answer_text(answer, config.verification, width=console.width))
    elif answer.valid:
        print(program, end="")
    else:
        print(one_line(answer.message, max_chars=1000), file=sys.stderr)
    return 0 if answer.valid else 1


def _followed(client: "Client", problem: "Problem | str", arguments: Namespace) -> "CircuitAnswer":
    """The answer; what happens until it comes is told on stderr, one line a turn."""
    from rich.console import Console

    from quasar.answer_view import Progress
    from quasar.client import CircuitAnswer

    options = {name: getattr(arguments, name) for name in _OPTIONS}
    console, progress = Console(stderr=True, highlight=False), Progress()
    with console.status("waiting for the endpoint") as status:
        for event in client.stream(problem, **options):
            if isinstance(event, CircuitAnswer):
                answer = event
                continue
            line, next_status = progress.told(event)
            if line is not None:
                console.print(line, soft_wrap=True)
            if next_status is not None:
                status.update(next_status)
    return answer


def _problem(arguments: Namespace) -> "Problem | str":
    text, file, index = arguments.text, arguments.problems, arguments.index
    if (text is None) == (file is None):
        raise InputError(
            'give the problem in words, as in quasar ask "vertex cover of 0-1 1-2", or by '
            "--problems and --index"
        )
    if file is None:
        if index is not None:
            raise InputError("--index goes with --problems")
        return _read_text() if text == _STANDARD_INPUT else text
    if index is None:
        raise InputError(f"--problems {file}: name a row by --index")
    from quasar.datasets.io import find_row
    from quasar.datasets.records import ProblemRecord
    from quasar.tool.schema import Problem

    line, row = find_row(existing(file, "--problems"), index)
    try:
        problem = ProblemRecord.from_dict(row).problem
    except InputError as error:
        raise InputError(f"{file} line {line}: {error}") from error
    return Problem(
        primitive=problem.primitive,
        graph=dict(problem.graph),
        attributes=dict(problem.attributes),
    )


def _read_text() -> str:
    from quasar.serving.schema import MAX_TEXT

    # One character more than the endpoint takes, so that it can be said what is too long.
    return sys.stdin.buffer.read(4 * MAX_TEXT + 1).decode(errors="replace")


def _read_key(path: Path) -> str:
    try:
        with path.open("rb") as file:
            key = file.read(_MAX_KEY_BYTES).decode(errors="replace").strip()
    except OSError as error:
        raise InputError(f"--api-key-file {path}: cannot be read: {error.strerror}") from error
    if not key:
        raise InputError(f"--api-key-file {path}: is empty; it holds what quasar keys new printed")
    return key
