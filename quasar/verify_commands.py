"""What the commands of the verification tool do: as `quasar.commands`, for `quasar.cli`."""

import sys
from argparse import Namespace
from pathlib import Path

from quasar.commands import existing, load
from quasar.errors import InputError

STANDARD_INPUT = "-"


def verify(arguments: Namespace) -> int:
    config = load(arguments)
    problems = existing(arguments.problems, "--problems")
    # One byte more than the verifier takes, so that it can say what is too long.
    text = read_circuit(arguments.circuit, max_bytes=config.verification.max_text_bytes + 1)
    from quasar.datasets.io import find_row
    from quasar.tool.schema import VerifyRequest, to_answer, to_check
    from quasar.verification.process import GuardedVerifier

    with GuardedVerifier(config.verification, config.reward.formula) as verifier:
        # read while the verifier's process starts
        line, row = find_row(problems, arguments.index)
        request = VerifyRequest(row=dict(row), circuit=text)
        try:
            check = to_check(request, max_qubits=config.verification.max_qubits)
        except InputError as error:
            raise InputError(f"{problems} line {line}: {error}") from error
        (result,) = verifier.verify([check])
    answer = to_answer(result, request, config.reward)
    if arguments.json:
        print(answer.model_dump_json(indent=1))
    else:
        from rich.console import Console

        from quasar.tool.table import answer_text

        Console(highlight=False).print(answer_text(answer, check.problem))
    return 0 if answer.report.valid else 1


def mcp(arguments: Namespace) -> None:
    config = load(arguments)
    from quasar.tool.mcp_server import serve_http, serve_stdio

    if not arguments.http:
        serve_stdio(config)
        return
    from quasar.serving.gate import Gate
    from quasar.serving.keys import configured_keys, require_keys_or_loopback
    from quasar.serving.metrics import Metrics

    serving = config.serving
    keys = configured_keys(serving)
    require_keys_or_loopback(serving, serving.host, num_keys=len(keys))
    serve_http(config, lambda app: Gate(app, serving=serving, keys=keys, metrics=Metrics()))


def read_circuit(name: str, *, max_bytes: int) -> str:
    """At most max_bytes of a file or of standard input ("-"); what is not UTF-8 is replaced."""
    try:
        if name == STANDARD_INPUT:
            return sys.stdin.buffer.read(max_bytes).decode(errors="replace")
        with Path(name).open("rb") as file:
            return file.read(max_bytes).decode(errors="replace")
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error
