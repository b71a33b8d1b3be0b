"""`quasar completion`: scripts that the shells take, and what they complete."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from quasar.cli.main import main

# what a shell's own completion would offer for a line whose last word is begun
OFFER = """
eval "$(cat "$SCRIPT")"
words=("$@"); COMP_WORDS=("${words[@]}"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_shtab_quasar
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    directory = tmp_path_factory.mktemp("completion")
    for shell in ("bash", "zsh", "tcsh"):
        done = subprocess.run(
            [sys.executable, "-m", "quasar", "completion", shell], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        (directory / shell).write_text(done.stdout)
    return directory


def offered(scripts: Path, *words: str) -> set[str]:
    """By bash, in the directory of the scripts."""
    done = subprocess.run(
        ["bash", "-c", OFFER, "bash", *words],
        cwd=scripts,
        env={**os.environ, "SCRIPT": str(scripts / "bash")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("quasar", "ve"), {"verify"}),
        (("quasar", "dataset", "g"), {"generate"}),
        (("quasar", "verify", "--prob"), {"--problems"}),
        (("quasar", "ask", "--device", "fake_t"), {"fake_torino"}),
        (("quasar", "train", "--config", "publ"), {"published"}),
        (("quasar", "problems", "show", "max_c"), {"max_cut"}),
        (("quasar", "verify", "x.qasm", "--as", "max_s"), {"max_sat"}),
        (("quasar", "verify", "zs"), {"zsh"}),  # a file
        (("quasar", "completion", "t"), {"tcsh"}),
        (("quasar", "nothing", "x"), set()),
    ],
)
def test_what_bash_offers(scripts, words, expected):
    assert offered(scripts, *words) == expected


@pytest.mark.parametrize(
    ("shell", "reads"), [("bash", ["-n"]), ("zsh", ["-n"]), ("tcsh", ["-f", "-n"])]
)
def test_the_shell_reads_its_script(scripts, shell, reads):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, *reads, str(scripts / shell)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_another_shell_is_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["completion", "fish"])
    assert caught.value.code == 2
    assert "invalid choice: 'fish'" in capsys.readouterr().err
