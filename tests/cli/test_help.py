"""Every command explains itself, quickly."""

import re
import subprocess
import sys

import pytest

import quasar
from quasar.cli.main import main
from tests.cli.refusals import QUASAR

COMMANDS = (
    ["config", "show"],
    ["dataset", "generate"],
    ["problems", "list"],
    ["problems", "show"],
    ["problems", "check"],
    ["sft"],
    ["train"],
    ["generate"],
    ["verify"],
    ["convert"],
    ["mcp"],
    ["evaluate"],
    ["compare"],
    ["sweep"],
    ["serve"],
    ["ask"],
    ["plan"],
    ["doctor"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_explains_itself_with_an_example_that_parses(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "--config" in text
    assert "--set" in text
    assert f"quasar {' '.join(command)}" in " ".join(text.split("Example:")[1].split())


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"]], ids=" ".join)
def test_without_a_command_all_are_listed(arguments):
    shown = subprocess.run([*QUASAR, *arguments], capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    assert "Start here: quasar doctor" in shown.stdout
    listed = set(re.findall(r"^    (\w+) ", shown.stdout, re.MULTILINE))
    assert {command for command, *_ in COMMANDS} <= listed


def test_help_of_a_command_is_its_own(capsys):
    texts = []
    for arguments in (["help", "problems", "show"], ["problems", "show", "--help"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert "usage: quasar problems show" in texts[0]


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"quasar {quasar.__version__}\n"


def test_help_is_fast():
    """0.3 s: it loads none of what takes seconds."""
    heavy = {"torch", "ray", "transformers", "qiskit", "numba", "scipy", "mlflow", "matplotlib"}
    program = f"""
import sys
from quasar.cli.main import main
try:
    main(["--help"])
finally:
    print(sorted({heavy!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
