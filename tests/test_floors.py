"""Imports run down the floors of the house: README, "How it is built"."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "quasar"
FLOORS = {
    "errors": 0,
    "plain_text": 0,
    "config": 0,
    "runtime": 0,
    "storage": 0,
    "problems": 1,
    "circuits": 1,
    "simulation": 2,
    "verification": 3,
    "rewards": 3,
    "datasets": 4,
    "policy": 5,
    "tool": 5,
    "learning": 6,
    "evaluation": 7,
    "serving": 7,
    "client": 7,
    "tracking": 7,
    "doctor": 7,
    "run_directory": 7,
    "main_job": 8,
    "commands": 8,
    "data_commands": 8,
    "rollout_commands": 8,
    "verify_commands": 8,
    "ask_command": 8,
    "answer_view": 8,
    "service_arguments": 8,
    "argument_types": 8,
    "cli": 8,
}
STRANGERS = {frozenset(("evaluation", "serving"))}  # one floor, but not to know each other


def part_of(module: str) -> str | None:
    """`quasar.problems.base` → `problems`; None for anything else and for the bare package."""
    names = module.split(".")
    return names[1] if names[0] == "quasar" and len(names) > 1 else None


def imports_of(source: str) -> list[tuple[int, str]]:
    """(line, part) of each import of a part of the package, at any depth of the code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write the import out from quasar"
            modules = [node.module or ""]
            if node.module == "quasar":
                modules = [f"quasar.{alias.name}" for alias in node.names]
        else:
            continue
        found += [(node.lineno, part) for part in map(part_of, modules) if part]
    return found


def offences(part: str, source: str) -> list[tuple[int, str]]:
    """Imports that run up the floors, or between strangers."""
    return [
        (line, other)
        for line, other in imports_of(source)
        if other != part
        and (FLOORS.get(other, -1) > FLOORS[part] or frozenset((part, other)) in STRANGERS)
    ]


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part_of_file(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_module_has_a_floor():
    assert {part_of_file(path) for path in modules()} <= FLOORS.keys()


def test_imports_run_downwards():
    found = [
        f"{path.relative_to(PACKAGE.parent)}:{line} imports quasar.{other}"
        for path in modules()
        for line, other in offences(part_of_file(path), path.read_text("utf-8"))
    ]
    assert not found, "imports that run upwards:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("part", "source", "expected"),
    [
        ("problems", "from quasar.verification.report import Stage", [(1, "verification")]),
        ("problems", "def f():\n    import quasar.learning.losses", [(2, "learning")]),
        ("config", "from quasar import policy", [(1, "policy")]),
        ("serving", "from quasar.evaluation import metrics", [(1, "evaluation")]),
        ("verification", "from quasar.problems import get_problem\nimport ray", []),
    ],
)
def test_the_check_finds_what_it_looks_for(part, source, expected):
    assert offences(part, source) == expected


@pytest.mark.parametrize(
    "module",
    ["quasar.rewards", "quasar.config", "quasar.cli", "quasar.client", "quasar.tool.mcp_server"],
)
def test_light_modules_do_not_load_ray_or_torch(module):
    program = (
        f"import sys, {module}; "
        "sys.exit(' '.join({'ray', 'torch', 'transformers', 'deepspeed'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
