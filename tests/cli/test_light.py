"""The light install: commands that need no extra run without their modules, others name theirs.

`benchmarks/light_install.py` does the same with the wheel in a fresh environment.
"""

import subprocess
import sys

import pytest

from quasar.system.extras import MODULES

# Refuses the modules of the extras, as an environment without them does.
WITHOUT = f"""
import sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {sorted(MODULES)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refused())
"""
CIRCUIT = (
    'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nx q[0];\nc = measure q;\n'
)
OLD = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nx q[0];\nmeasure q -> c;\n'


def python(code, *, stdin=""):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code], input=stdin, capture_output=True, text=True
    )


def command(*arguments, stdin=""):
    code = f"from quasar.cli.main import main; sys.exit(main({list(arguments)!r}))"
    return python(code, stdin=stdin)


@pytest.mark.parametrize("text", [CIRCUIT, OLD])
def test_a_circuit_is_verified(text):
    done = command("verify", "-", "max cut of 0-1:3", "--json", stdin=text)
    assert done.returncode == 0, done.stderr
    assert '"valid": true' in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("train", "--help"),
        ("problems", "list"),
        ("problems", "show", "tsp"),
        ("config", "show", "laptop"),
        ("convert", "-", "--problem", "max cut of 0-1:3"),
    ],
)
def test_these_commands_need_no_extra(arguments):
    done = command(*arguments, stdin=CIRCUIT)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_what_takes_long_to_load_is_left_alone_where_it_is_not_used():
    code = """
from quasar.cli.main import main
code = main(["verify", "-", "max cut of 0-1:3"])
slow = {"qiskit", "scipy.optimize", "scipy.linalg", "networkx.algorithms"} & sys.modules.keys()
sys.exit(f"loaded: {slow}" if slow else code)
"""
    done = python(code, stdin=CIRCUIT)
    assert done.returncode == 0, done.stderr


def test_python_needs_no_extra():
    done = python(
        "import quasar\n"
        "with quasar.Client() as client: print(client)\n"
        f"print(quasar.verify({CIRCUIT!r}, 'max cut of 0-1:3').reward.value)\n"
        "from quasar.verification.reward import score\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("train",), "train"),
        (("dataset", "generate", "--output", "nowhere"), "train"),
        (("serve", "--verifier-only"), "serve"),
        (("ask", "max cut of 0-1:3", "--checkpoint", "{shipped}"), "serve"),
        (("mcp",), "mcp"),
    ],
)
def test_other_commands_say_what_to_install(tmp_path, arguments, extra):
    from quasar.system.shipped import shipped_run

    given = [one.format(shipped=shipped_run()) for one in arguments]
    done = command(*given, "--set", f"run.directory={tmp_path / 'run'}")
    assert done.returncode == 2, done.stderr
    assert f'pip install "quasar-rl[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import quasar; print(len(sys.modules), 'numpy' in sys.modules, 'pydantic' in sys.modules)"
    )
    done = python(code)
    loaded, numpy, pydantic = done.stdout.split()
    assert (numpy, pydantic) == ("False", "False")
    assert int(loaded) < 250
