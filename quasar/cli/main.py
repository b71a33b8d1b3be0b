"""The command line: all commands, logging, and errors as exit codes.

Exit codes: 0 done, 1 a check failed (doctor, problems check, tasks check, verify, ask) or an
unexpected error (with its traceback), 2 bad input, a place that cannot be read or written or an
extra that is not installed (one line on stderr), 130 interrupted. What a command takes is in
`quasar.cli.arguments`, what it does in `quasar.cli.commands`.
"""

import argparse
import errno
import logging
import os
import select
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import quasar
from quasar.cli.arguments import data, evaluation, service, tasks, training
from quasar.cli.commands import jobs as commands
from quasar.cli.settings import Prepare, load, unchanged
from quasar.config import PRESETS
from quasar.errors import QuasarError
from quasar.system.disk import full_disk, is_full
from quasar.system.extras import missing_extra
from quasar.system.plain_text import strip_credentials

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130
logger = logging.getLogger(__name__)

# What the system says of a place that a user named, and a hint. Anything else is our own fault
# and keeps its traceback.
_ELSEWHERE = "choose another place, or make it writable"
_ROOM = "free space there or choose another place, then start the same command again"
_PLACES_AT_FAULT = {
    errno.EACCES: _ELSEWHERE,
    errno.EPERM: _ELSEWHERE,
    errno.EROFS: _ELSEWHERE,
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file; choose another place",
    errno.EISDIR: "it is a directory; name a file",
    errno.EEXIST: "it is there and of another kind; choose another place",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "a link there points at itself; choose another place",
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.ESTALE: "the file system went away; start the same command again when it is back",
}


def main(argv: Sequence[str] | None = None, *, prepare: Prepare | None = None) -> int:
    """Run one command and return its exit code.

    prepare: a last change to the configuration before the command sees it (used by `ray_jobs/`).
    """
    given = sys.argv[1:] if argv is None else list(argv)
    parser = build_parser()
    if not given:
        parser.print_help()
        return 0
    if given[0] == "help":  # of a command as `quasar COMMAND --help`
        given = ["--help"] if given[1:] == ["help"] else [*given[1:], "--help"]
    arguments = parser.parse_args(given)
    set_up_logging(arguments.verbose)
    put_environment_on_path()
    arguments.prepare = prepare or unchanged
    try:
        return arguments.run(arguments) or 0
    except QuasarError as error:
        print(f"quasar: {strip_credentials(' '.join(str(error).split()))}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except ModuleNotFoundError as error:
        told = missing_extra(error, given[0])
        if told is None:
            raise
        logger.debug("where it is needed", exc_info=error)
        print(f"quasar: {told}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        if not _reader_has_gone():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        if error.errno not in _PLACES_AT_FAULT:
            raise
        logger.debug("where it happened", exc_info=error)
        print(f"quasar: {_told(error)}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("quasar: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _reader_has_gone() -> bool:
    """Whether nobody reads our output any more, e.g. in `| head`; else another pipe broke."""
    poll = select.poll()
    try:
        poll.register(sys.stdout, select.POLLOUT)
    except (TypeError, ValueError, OSError):  # without a stdout, or a closed one, or not of a file
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _told(error: OSError) -> str:
    """One line: the file or directory, what is wrong with it, a hint."""
    reason = error.strerror or type(error).__name__
    where = f"{error.filename}: {reason}" if error.filename else reason
    if is_full(error):
        where += f" ({full_disk(Path(error.filename or '.'))})"
    return f"{where}; {_PLACES_AT_FAULT[error.errno or 0]}"


def set_up_logging(verbosity: int) -> None:
    """Log to stderr: Quasar at INFO and the rest at WARNING; each -v one level more."""
    logging.basicConfig(
        stream=sys.stderr, format="%(asctime)s %(levelname).1s %(name)s: %(message)s"
    )
    logging.getLogger().setLevel(logging.WARNING if verbosity < 1 else logging.INFO)
    logging.getLogger("quasar").setLevel(logging.INFO if verbosity < 1 else logging.DEBUG)


def put_environment_on_path() -> None:
    """Let children find this environment's tools: torch calls `ninja` by name to compile."""
    own = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "")
    if own not in path.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join(filter(None, [own, path]))


def build_parser() -> argparse.ArgumentParser:
    """All commands; each one's function is its `run` default."""
    parser = argparse.ArgumentParser(
        prog="quasar",
        description="Reinforcement learning of OpenQASM 3 circuits with a verification tool.",
        epilog="Start here: quasar doctor, then quasar train --config laptop",
    )
    parser.add_argument("--version", action="version", version=f"quasar {quasar.__version__}")
    common = _common_options()
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable, summary: str, example: str, *, under: Any = subparsers):
        made = under.add_parser(
            name,
            parents=[common],
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"Example: {example}",
        )
        made.set_defaults(run=run)
        return made

    _add_config(subparsers.add_parser("config", help="see the configuration"), command)
    data.add_dataset(subparsers.add_parser("dataset", help="make the training data"), command)
    data.add_problems(subparsers.add_parser("problems", help="see the graph problems"), command)
    tasks.add_tasks(subparsers.add_parser("tasks", help="see what can be asked for"), command)
    data.add_solve(command)
    service.add_verify(command)
    service.add_run(command)
    service.add_convert(command)
    service.add_mcp(command)
    training.add_sft(command)
    training.add_improve(command)
    training.add_train(command)
    training.add_rollouts(subparsers.add_parser("rollouts", help="see what a run sampled"), command)
    evaluation.add_generate(command)
    evaluation.add_evaluate(command)
    evaluation.add_compare(command)
    evaluation.add_bench(command)
    training.add_sweep(command)
    service.add_serve(command)
    service.add_ask(command)
    service.add_keys(subparsers.add_parser("keys", help="make API keys of the endpoint"), command)
    training.add_plan(command)
    training.add_hub(command)
    subparsers.add_parser("help", help="show this, or the help of a command")
    completion = command(
        "completion",
        print_completion,
        "print a script with which a shell completes commands, options and files",
        'eval "$(quasar completion bash)" (in ~/.bashrc; docs: Shell completion)',
    )
    completion.add_argument(
        "shell", choices=("bash", "zsh", "tcsh"), metavar="SHELL", help="%(choices)s"
    )
    command(
        "doctor",
        commands.doctor,
        "check this machine and say what to fix",
        "quasar doctor --config single-gpu",
    )
    return parser


def print_completion(arguments: argparse.Namespace) -> None:
    """The script on stdout."""
    from quasar.cli.completion import completion_script

    load(arguments)  # so that a wrong setting is told, though none is used
    print(completion_script(build_parser(), arguments.shell))


def _common_options() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config",
        metavar="PRESET|FILE",
        help=f"preset ({', '.join(PRESETS)}) or YAML file; default: laptop",
    )
    common.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one value, e.g. grpo.iterations=10; may be repeated",
    )
    common.add_argument(
        "-v", "--verbose", action="count", default=0, help="log more; repeat for still more"
    )
    return common


def _add_config(group: argparse.ArgumentParser, command: Callable) -> None:
    under = group.add_subparsers(metavar="COMMAND", required=True)
    show = command(
        "show",
        commands.config_show,
        "print the resolved configuration as commented YAML",
        "quasar config show laptop --set grpo.iterations=10 > my.yaml",
        under=under,
    )
    show.add_argument("source", nargs="?", metavar="PRESET|FILE", help="the same as --config")


if __name__ == "__main__":
    sys.exit(main())
