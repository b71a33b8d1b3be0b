"""Places that cannot be written to, and how a command calls the next one."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from quasar.cli.commands import jobs as commands
from quasar.cli.main import main
from tests.cli.refusals import ROW, refused


@pytest.mark.parametrize(
    "command",
    [
        ["train", "--set", "run.directory=PLACE"],
        ["sft", "--set", "run.directory=PLACE"],
        ["sweep", "--preset", "ablation", "--set", "run.directory=PLACE"],
        ["dataset", "generate", "--output", "PLACE"],
        ["dataset", "traces", "--problems", "FILE", "--output", "PLACE"],
        ["dataset", "export", "DIR", "--output", "PLACE"],
        ["dataset", "import", "FILE", "--output", "PLACE"],
        ["dataset", "describe", "FILE", "--output", "PLACE"],
        ["solve", "--problems", "FILE", "--output", "PLACE"],
        ["generate", "--checkpoint", "x", "--problems", "FILE", "--samples", "1",
         "--output", "PLACE"],
        ["evaluate", "--problems", "FILE", "--generations", "GENERATIONS", "--output", "PLACE"],
        ["keys", "new", "--id", "me", "--file", "PLACE"],
    ],
    ids=lambda command: " ".join(command[:2]),
)  # fmt: skip
@pytest.mark.parametrize("place", ["/proc/x/g", "file/g", "/dev/full/g", "long"])
def test_a_place_that_cannot_be_written_to_is_one_line(command, place, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    problems, generations = tmp_path / "train.jsonl", tmp_path / "g.jsonl"
    problems.write_text(json.dumps(ROW) + "\n")
    generations.write_text('{"sample_index": 0, "completions": ["x"]}\n')
    where = {"file/g": str(tmp_path / "file" / "g"), "long": str(tmp_path / ("x" * 300) / "g")}
    names = {"PLACE": where.get(place, place), "FILE": str(problems), "DIR": str(tmp_path)}
    names["GENERATIONS"] = str(generations)
    words = []
    for word in command:
        for name, value in names.items():
            word = word.replace(name, value)
        words.append(word)
    code = main(words)
    captured = capsys.readouterr()
    said = [line for line in captured.err.splitlines() if line.startswith("quasar: ")]
    assert (code, len(said)) == (2, 1), captured.err
    assert "Traceback" not in captured.err
    named = names["PLACE"]
    assert any(part in said[0] for part in (named, str(Path(named).parent)))


@pytest.mark.parametrize(
    ("number", "part"),
    [
        (errno.ENOSPC, "free space there"),
        (errno.EROFS, "Read-only file system; choose another place"),
        (errno.EACCES, "Permission denied; choose another place, or make it writable"),
    ],
)
def test_a_full_or_read_only_disk_is_one_line_and_other_faults_keep_their_traceback(
    number, part, monkeypatch, capsys
):
    def fails(arguments):
        raise OSError(number, os.strerror(number), "/data/runs")

    monkeypatch.setattr(commands, "doctor", fails)
    line = refused(capsys, "doctor")
    assert line.startswith("quasar: /data/runs: ")
    assert part in line
    number = errno.EBADF
    with pytest.raises(OSError, match="Bad file descriptor"):
        main(["doctor"])


@pytest.mark.parametrize(
    ("called", "on_path", "told"),
    [
        (".venv/bin/quasar", True, ".venv/bin/quasar"),  # as make calls it, with it on its PATH
        ("PLACE/.venv/bin/quasar", True, "quasar"),  # found by the shell
        ("PLACE/.venv/bin/quasar", False, ".venv/bin/quasar"),
        ("-m", False, ".venv/bin/quasar"),
    ],
)
def test_the_next_command_is_called_as_this_one_was(called, on_path, told, tmp_path):
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    for name in ("quasar", "mlflow"):
        text = f"#!{programs}/python\nfrom quasar.system.invocation import command\n"
        (programs / name).write_text(text + "print(command('quasar'), command('mlflow'))\n")
        (programs / name).chmod(0o755)
    path = f"{programs}:/usr/bin" if on_path else "/usr/bin"
    words = [called.replace("PLACE", str(tmp_path))]
    if called == "-m":
        script = (
            "from quasar.system.invocation import command as c; print(c('quasar'), c('mlflow'))"
        )
        words = [str(programs / "python"), "-c", script]
    root = str(Path(__file__).parents[2])
    packages = os.pathsep.join([root, *filter(None, sys.path)])
    done = subprocess.run(
        words,
        cwd=tmp_path,
        env={"PATH": path, "PYTHONPATH": packages},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [told, told.replace("quasar", "mlflow")], done.stderr
