"""What the commands of the verification tool do: as `quasar.cli.commands.jobs`."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from quasar.cli.commands.sources import problem_argument
from quasar.cli.settings import existing, load
from quasar.errors import InputError, ProblemError

if TYPE_CHECKING:
    from quasar.schema.verify import VerifyRequest

STANDARD_INPUT = "-"


def verify(arguments: Namespace) -> int:
    config = load(arguments)
    require_one_problem(arguments)
    # One byte more than the verifier takes, so that it can say what is too long.
    text = read_circuit(arguments.circuit, max_bytes=config.verification.max_text_bytes + 1)
    from quasar.circuits.foreign import program_of
    from quasar.schema.verify import to_answer, to_check
    from quasar.verification.execution.process import GuardedVerifier

    with GuardedVerifier(config.verification, config.reward.formula, forked=True) as verifier:
        # read while the verifier's process starts
        request, where = read_request(arguments, program_of(text))
        try:
            check = to_check(request, max_qubits=config.verification.max_qubits)
        except (InputError, ProblemError) as error:
            raise InputError(f"{where}: {error}") from error
        (result,) = verifier.verify([check])
    answer = to_answer(result, request, config.reward)
    if arguments.json:
        print(answer.model_dump_json(indent=1))
    else:
        from rich.console import Console

        from quasar.reports.verification_table import answer_text

        Console(highlight=False).print(answer_text(answer, check.problem))
    return 0 if answer.report.valid else 1


def require_one_problem(arguments: Namespace) -> None:
    """Refuse none and two problems, before the verifier starts."""
    words, file, index = arguments.problem, arguments.problems, arguments.index
    if (words is None) == (file is None):
        raise InputError(
            'give the problem in words, as in quasar verify circuit.qasm "max cut of 0-1:3 1-2", '
            "as a file, or by --problems and --index"
        )
    if (file is None) != (index is None):
        raise InputError("--problems and --index go together")
    if file is not None:
        existing(file, "--problems")
        if arguments.primitive is not None or arguments.attribute:
            raise InputError(
                "--as and --attribute go with a file of one problem, not with --problems"
            )


def read_request(arguments: Namespace, circuit: str) -> "tuple[VerifyRequest, str]":
    """What is asked, and where its problem stands."""
    from quasar.schema.verify import VerifyRequest

    if arguments.problem is None:
        from quasar.datasets.io import find_row

        line, row = find_row(arguments.problems, arguments.index)
        return VerifyRequest(row=dict(row), circuit=circuit), f"{arguments.problems} line {line}"
    stated, where = problem_argument(arguments, arguments.problem), arguments.problem
    if isinstance(stated, str):
        from quasar.datasets.task_records import TaskRecord
        from quasar.schema.words.reader import read_problem
        from quasar.schema.words.tasks import read_task

        where = "the problem in words"
        if (task := read_task(stated)) is not None:
            return VerifyRequest(row=TaskRecord(0, task.instance).to_dict(), circuit=circuit), where
        stated = read_problem(stated)
    return VerifyRequest(problem=stated, circuit=circuit), where


def mcp(arguments: Namespace) -> None:
    config = load(arguments)
    from quasar.mcp.server import serve_http, serve_stdio

    if not arguments.http:
        serve_stdio(config)
        return
    from quasar.serving.gate import RequestGate
    from quasar.serving.keys import configured_keys, require_keys_or_loopback
    from quasar.serving.metrics import Metrics

    serving = config.serving
    keys = configured_keys(serving)
    require_keys_or_loopback(serving, serving.host, num_keys=len(keys))
    serve_http(config, lambda app: RequestGate(app, serving=serving, keys=keys, metrics=Metrics()))


def read_circuit(name: str, *, max_bytes: int) -> str:
    """At most max_bytes of a file or of standard input ("-"); what is not UTF-8 is replaced."""
    try:
        if name == STANDARD_INPUT:
            return sys.stdin.buffer.read(max_bytes).decode(errors="replace")
        with Path(name).open("rb") as file:
            return file.read(max_bytes).decode(errors="replace")
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error
