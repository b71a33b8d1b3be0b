"""Scripts with which bash, zsh and tcsh complete `quasar`: commands, options, files, names.

Takes the parser of all commands; gives the text of a script, made by shtab. Arguments that are
paths complete as files or directories, names of presets and problems from what there is now.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import shtab

from quasar.config import PRESETS
from quasar.problems import problem_names

SHELLS = ("bash", "zsh", "tcsh")
# destination of an argument -> the function that completes it, files too or not
_NAMES = {"config": "preset", "source": "preset", "primitive": "problem"}
_TEXT_PATHS = frozenset(("circuit", "left", "right"))  # paths that are read as text at first


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for one of `SHELLS`; `eval "$(quasar completion bash)"` puts it to use."""
    for action in _actions(parser):
        if action.choices is not None or action.nargs == 0:
            continue
        kind = _NAMES.get(action.dest)
        if kind is not None:
            words = _words(kind)
            tcsh = shtab.FILE["tcsh"] if kind == "preset" else f"({' '.join(words)})"
            action.complete = {  # pyright: ignore[reportAttributeAccessIssue]  # shtab reads it
                "bash": f"_quasar_{kind}",
                "zsh": f"_quasar_{kind}",
                "tcsh": tcsh,
            }
        elif action.type is Path or action.dest in _TEXT_PATHS:
            kind = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE
            action.complete = kind  # pyright: ignore[reportAttributeAccessIssue]  # shtab reads it
    preamble: Any = {"bash": _bash(), "zsh": _zsh()}  # shtab takes one for each shell
    return shtab.complete(parser, shell, preamble=preamble)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Of the parser and of all below it."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)


def _words(kind: str) -> Sequence[str]:
    return tuple(PRESETS) if kind == "preset" else problem_names()


def _bash() -> str:
    presets, problems = " ".join(_words("preset")), " ".join(_words("problem"))
    return (
        f'_quasar_preset() {{ compgen -W "{presets}" -- "$1"; compgen -f -- "$1"; }}\n'
        f'_quasar_problem() {{ compgen -W "{problems}" -- "$1"; }}\n'
    )


def _zsh() -> str:
    presets, problems = " ".join(_words("preset")), " ".join(_words("problem"))
    return (
        f"_quasar_preset() {{ compadd -- {presets}; _files }}\n"
        f"_quasar_problem() {{ compadd -- {problems} }}\n"
    )
