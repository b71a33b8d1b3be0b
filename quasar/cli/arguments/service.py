"""Arguments of the commands around the tool and the endpoint: verify, convert, mcp, serve, keys,
ask.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from quasar.cli.arguments.types import (
    CHECKPOINTS,
    DEVICES,
    STYLES,
    add_source,
    positive,
    tools,
)
from quasar.cli.commands import ask as ask_command
from quasar.cli.commands import convert as convert_command
from quasar.cli.commands import jobs as commands
from quasar.cli.commands import run as run_command
from quasar.cli.commands import verify as verify_commands


def add_verify(command: Callable) -> None:
    """`quasar verify`."""
    verify = command(
        "verify",
        verify_commands.verify,
        "verify one circuit under limits and say what to fix (exit 1: the circuit is not valid)",
        'quasar verify circuit.qasm "max cut of 0-1:3 1-2:1 2-0:2"',
    )
    _add_circuit_and_problem(verify)


def add_run(command: Callable) -> None:
    """`quasar run`."""
    run = command(
        "run",
        run_command.run,
        "run one circuit on a backend of Qiskit: Aer, a device's snapshot, IBM Quantum",
        'quasar run circuit.qasm "max cut of 0-1:3 1-2:1 2-0:2" --backend fake_torino --dry-run',
    )
    _add_circuit_and_problem(run)
    run.add_argument(
        "--backend",
        required=True,
        metavar="NAME",
        help="aer (no noise), fake_torino and other snapshots, MODULE:CALLABLE that gives a "
        "BackendV2, else one of IBM Quantum by the account that its package has stored",
    )
    run.add_argument(
        "--shots", type=positive, default=1024, metavar="N", help="of each circuit; default: 1024"
    )
    run.add_argument(
        "--mitigation",
        choices=("none", "readout", "linear", "richardson"),
        default="none",
        metavar="NAME",
        help="%(choices)s; the last two extrapolate to zero noise from three circuits, readout "
        "errors inverted; default: none",
    )
    run.add_argument(
        "--dry-run", action="store_true", help="compile, tell the cost, submit nothing"
    )
    run.add_argument(
        "--max-seconds",
        type=float,
        default=60.0,
        metavar="S",
        help="submit nothing that takes a remote device longer; default: 60",
    )
    run.add_argument(
        "--price", type=float, metavar="P", help="of a second of the device, to be told"
    )
    run.add_argument(
        "--seed", type=int, default=0, metavar="S", help="of simulated backends; default: 0"
    )


def _add_circuit_and_problem(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "circuit",
        metavar="CIRCUIT.qasm",
        help="an OpenQASM 3 or 2 program or a chat answer; -: stdin",
    )
    command.add_argument(
        "problem",
        nargs="?",
        metavar="PROBLEM",
        help="in words, or a file that `quasar problems read` understands",
    )
    add_source(command)
    command.add_argument("--problems", type=Path, metavar="FILE", help="or a row of a problem file")
    command.add_argument("--index", type=int, metavar="I", help="sample_index of that row")
    command.add_argument("--json", action="store_true", help="print JSON")


def add_convert(command: Callable) -> None:
    """`quasar convert`."""
    convert = command(
        "convert",
        convert_command.convert,
        "write a program in the other style, canonical or published (gate by gate)",
        "quasar convert circuit.qasm --problems data/test.jsonl --index 3",
    )
    convert.add_argument(
        "circuit", metavar="CIRCUIT.qasm", help="an OpenQASM 3 program or a chat answer; -: stdin"
    )
    convert.add_argument(
        "--to",
        choices=STYLES,
        metavar="STYLE",
        help="%(choices)s; default: the one that the program is not in",
    )
    convert.add_argument(
        "--problem",
        metavar="TEXT",
        help="the problem in words or its file, so that QAOA of it gets named parameters",
    )
    add_source(convert)
    convert.add_argument("--problems", type=Path, metavar="FILE", help="or a row of a problem file")
    convert.add_argument("--index", type=int, metavar="I", help="sample_index of that row")
    convert.add_argument("--output", type=Path, metavar="FILE.qasm", help="write the program there")


def add_mcp(command: Callable) -> None:
    """`quasar mcp`."""
    mcp = command(
        "mcp",
        verify_commands.mcp,
        "serve the verification tool to agents over the Model Context Protocol",
        "quasar mcp (or: quasar mcp --http --set serving.port=8001)",
    )
    mcp.add_argument(
        "--http",
        action="store_true",
        help="streamable HTTP at serving.host and serving.port, path /mcp; default: stdio",
    )


def add_serve(command: Callable) -> None:
    """`quasar serve`."""
    serve = command(
        "serve",
        commands.serve,
        "answer problems with verified circuits over HTTP (Ray Serve)",
        "quasar serve --checkpoint graph-3m --checkpoint runs/laptop --set serving.port=8080",
    )
    source = serve.add_mutually_exclusive_group()
    source.add_argument("--checkpoint", type=Path, action="append", metavar="DIR", help=CHECKPOINTS)
    source.add_argument(
        "--verifier-only", action="store_true", help="no model: POST /v1/verify only"
    )


def add_keys(group: argparse.ArgumentParser, command: Callable) -> None:
    """`quasar keys`."""
    under = group.add_subparsers(metavar="COMMAND", required=True)
    new = command(
        "new",
        commands.keys_new,
        "make an API key, print it once and add its SHA-256 to a file for serving.keys_file",
        "quasar keys new --id alice --file keys.txt",
        under=under,
    )
    new.add_argument("--id", required=True, metavar="ID", help="whose key it is; stands in the log")
    new.add_argument("--file", required=True, type=Path, metavar="FILE")


def add_ask(command: Callable) -> None:
    """`quasar ask`."""
    ask = command(
        "ask",
        ask_command.ask,
        "ask for a verified circuit: an endpoint, or the model that comes with Quasar, here "
        "(exit 1: it found no valid one)",
        'quasar ask "minimum vertex cover of 0-1 1-2 2-3" --samples 8',
    )
    ask.add_argument(
        "text",
        nargs="?",
        metavar="PROBLEM",
        help="in words (-: stdin), or a file that `quasar problems read` understands",
    )
    add_source(ask)
    ask.add_argument("--problems", type=Path, metavar="FILE", help="or a row of a problem file")
    ask.add_argument("--index", type=int, metavar="I", help="sample_index of that row")
    where = ask.add_mutually_exclusive_group()
    where.add_argument(
        "--url",
        metavar="URL",
        help="of an endpoint; default: QUASAR_URL, else http://127.0.0.1:8000 if one is there, "
        "else no endpoint is needed",
    )
    where.add_argument(
        "--checkpoint",
        type=Path,
        metavar="DIR",
        help="answer here, without an endpoint, by this run or model",
    )
    ask.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help="default: the key in QUASAR_API_KEY"
    )
    ask.add_argument(
        "--model",
        metavar="NAME",
        help="of an endpoint with several models; default: the first that was trained on the task",
    )
    ask.add_argument("--samples", type=positive, metavar="K", help="candidates a turn")
    ask.add_argument("--turns", type=positive, metavar="N", help="model turns")
    ask.add_argument(
        "--tools",
        type=tools,
        metavar="A,B",
        help="verify, or verify,optimise: make each candidate's angles better before it is judged",
    )
    ask.add_argument("--temperature", type=float, metavar="T", help="sampling temperature")
    ask.add_argument("--seed", type=int, metavar="S", help="same seed, same candidates")
    ask.add_argument("--ansatz", metavar="NAME", help="qaoa, ma_qaoa, sim_1 to sim_19, adaptive")
    ask.add_argument("--constrained", action="store_true", default=None, help="only valid programs")
    ask.add_argument(
        "--style",
        choices=STYLES,
        metavar="NAME",
        help="how the program is written: %(choices)s; default: as the model wrote it",
    )
    ask.add_argument(
        "--device",
        choices=DEVICES,
        metavar="NAME",
        help="compile the best circuit for this device: %(choices)s",
    )
    ask.add_argument(
        "--timeout",
        type=positive,
        default=300,
        metavar="S",
        help="seconds for the whole call, retries included; default: 300",
    )
    ask.add_argument("--output", type=Path, metavar="FILE.qasm", help="write the program there")
    shown = ask.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print the answer as JSON")
    shown.add_argument("--qasm", action="store_true", help="print the program alone")
