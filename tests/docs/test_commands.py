"""The documentation's commands do what it says: run, or with the reason why not and parsed."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from quasar.cli.main import build_parser
from quasar.config import PRESETS, load_config
from quasar.errors import QuasarError
from tests.docs.pages import ROOT, Block, blocks, matches, pages
from tests.support.machine import scaled

RUN = [block for page in pages() for block in blocks(page) if block.runs]
OTHERS = [block for page in pages() for block in blocks(page) if not block.runs]
EXAMPLES = ("own_problem", "own_task")
OF_EXAMPLES = re.compile("dominating_set|parity|sharp_ground_state")
# commands in the text: the whole of `quasar …`, but not a mention such as `quasar verify`
INLINE = re.compile(r"`(quasar [a-z][^`]*)`")
HOLDS = re.compile(r"…|\bT\b|\bDIR\b|\bFILE\b|\bNAME\b|\bRAW\b|\bPRESET\b|\bCOMMAND\b|\bCIRCUIT\b")


def command_lines(code: str) -> list[str]:
    """Lines of `quasar …`, continued ones joined, up to a pipe or a comment."""
    lines = re.sub(r"\\\n\s*", "", code).splitlines()
    found = [part.strip() for line in lines for part in re.split(r"\s[|>]\s|&&", f"{line} ")]
    return [line for line in found if line.startswith("quasar ")]


def parse(line: str) -> None:
    """Refuse what the real command line or the configuration refuses."""
    words = shlex.split(line, comments=True)[1:]
    try:
        arguments = build_parser().parse_args(words)
    except SystemExit as ended:
        if ended.code:
            pytest.fail(line)
        return
    # what the examples add is not installed in this process
    overrides = [text for text in arguments.overrides if not OF_EXAMPLES.search(text)]
    usual = "remote" if getattr(arguments, "endpoint", None) else "laptop"
    load_config(arguments.config if arguments.config in PRESETS else usual, overrides)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Variables of a shell in which `quasar` is this one and the examples are installed."""
    place = tmp_path_factory.mktemp("bin")
    shim = place / "quasar"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m quasar "$@"\n')
    shim.chmod(0o755)
    paths = [str(ROOT)]
    for name in EXAMPLES:
        example = ROOT / "examples" / name
        project = tomllib.loads((example / "pyproject.toml").read_text("utf-8"))["project"]
        info = place / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        listed = [
            f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
            for group, entries in project["entry-points"].items()
        ]
        (info / "entry_points.txt").write_text("".join(listed))
        paths.append(str(example))
    return os.environ | {
        "PATH": os.pathsep.join([str(place), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([*paths, str(place)]),
        "COLUMNS": "140",
        "QUASAR_URL": "",
    }


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A directory a page: its blocks run one after the other."""
    made: dict[str, Path] = {}

    def place(page: str) -> Path:
        if page not in made:
            made[page] = tmp_path_factory.mktemp("page")
        return made[page]

    return place


@pytest.mark.parametrize("block", RUN, ids=str)
def test_what_is_run_does_what_stands_there(block: Block, environment, places):
    program = {
        "bash": ["bash", "-eo", "pipefail", "-c"],
        "python": [sys.executable, "-c"],
    }[block.kind]
    done = subprocess.run(
        [*program, block.code],
        cwd=places(block.page),
        env=environment,
        capture_output=True,
        text=True,
        timeout=scaled(120),
    )
    assert done.returncode == block.exit_code, done.stderr[-3000:]
    if block.output is not None:
        shown = done.stdout if block.exit_code == 0 else done.stdout + done.stderr
        assert matches(block.output, shown), shown


@pytest.mark.parametrize("block", OTHERS, ids=str)
def test_what_is_not_run_says_why_and_is_understood(block: Block):
    assert re.fullmatch(r"not run: \S.{9,}", block.mark), "say why, or let it run"
    for line in command_lines(block.code):
        if not HOLDS.search(line):
            parse(line)


@pytest.mark.parametrize("page", pages())
def test_commands_in_the_text_are_understood(page):
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text("utf-8"), flags=re.M | re.S)
    for line in INLINE.findall(" ".join(text.split())):
        line = line.replace("\\|", "|").removesuffix("; …")
        if HOLDS.search(line) or len(line.split()) < 4:
            continue
        parse(line)


@pytest.mark.parametrize(
    ("expected", "output", "right"),
    [
        ("a  b\n…\nd", "x a b\n c\nd", True),
        ("a 1.0", "a 1.1", False),
        ("a … c", "c a", False),
        ("…", "", True),
    ],
)
def test_how_output_is_compared(expected, output, right):
    assert matches(expected, output) == right


def test_what_the_command_line_does_not_know_is_found():
    parse("quasar verify a.qasm 'max cut of 0-1' --json  # as JSON")
    for line in ("quasar verify a.qasm --jason", "quasar verfy a.qasm"):
        with pytest.raises(pytest.fail.Exception):
            parse(line)
    with pytest.raises(QuasarError):
        parse("quasar train --set grpo.iteration=5")
    code = "A=1\nquasar train \\\n  --set grpo.iterations=5 | tail\nquasar help"
    assert command_lines(code) == ["quasar train --set grpo.iterations=5", "quasar help"]
