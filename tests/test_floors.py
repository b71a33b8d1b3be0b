"""Imports run down the floors of the house: docs/architecture.md."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "quasar"
FLOORS = {
    "errors": 0,
    "config": 0,
    "plugins": 0,
    "runtime": 0,
    "system": 0,
    "problems": 1,
    "circuits": 1,
    "simulation": 2,
    "tasks": 2,
    "verification": 3,
    "datasets": 4,
    "schema": 4,
    "episodes": 5,
    "policy": 5,
    "evaluation": 6,
    "training": 6,
    "client": 7,
    "integrations": 7,
    "mcp": 7,
    "reports": 7,
    "serving": 7,
    "cli": 8,
    "pipeline": 8,
    "__main__": 8,
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
        ("problems", "def f():\n    import quasar.training.algorithm.losses", [(2, "training")]),
        ("config", "from quasar import policy", [(1, "policy")]),
        ("serving", "from quasar.evaluation import metrics", [(1, "evaluation")]),
        ("verification", "from quasar.problems import get_problem\nimport ray", []),
    ],
)
def test_the_check_finds_what_it_looks_for(part, source, expected):
    assert offences(part, source) == expected


def running(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of the code that runs: all but what only a type checker reads."""
    yield node
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        children = node.orelse
    else:
        children = ast.iter_child_nodes(node)
    for child in children:
        yield from running(child)


def import_graph(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Which of the modules each imports, at the top or within a function."""
    graph: dict[str, set[str]] = {}
    for module, source in sources.items():
        named = []
        for node in running(ast.parse(source)):
            if isinstance(node, ast.Import):
                named += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                members = [f"{node.module}.{alias.name}" for alias in node.names]
                named += [name if name in sources else node.module for name in members]
        graph[module] = {name for name in named if name in sources} - {module}
    return graph


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in a ring; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def all_sources() -> dict[str, str]:
    names = [path.relative_to(PACKAGE.parent).with_suffix("") for path in modules()]
    return {
        ".".join(name.parts).removesuffix(".__init__"): path.read_text("utf-8")
        for name, path in zip(names, modules(), strict=True)
    }


def test_modules_do_not_import_each_other_in_a_circle():
    found = circle(import_graph(all_sources()))
    assert not found, " → ".join(found)


def test_rooms_do_not_import_each_other_in_a_circle():
    rooms: dict[str, set[str]] = {}
    for path in modules():
        part = part_of_file(path)
        rooms.setdefault(part, set()).update(
            other for _, other in imports_of(path.read_text("utf-8")) if other != part
        )
    found = circle(rooms)
    assert not found, " → ".join(found)


@pytest.mark.parametrize(
    ("back", "circular"),
    [
        ("import q.a", True),
        ("from q import a", True),
        ("def f():\n    from q.a import name", True),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import q.a", False),
        ("import q.c", False),
    ],
)
def test_the_circles_that_are_found(back, circular):
    sources = {"q.a": "from q.b import name", "q.b": back, "q.c": ""}
    assert bool(circle(import_graph(sources))) == circular


@pytest.mark.parametrize(
    "module",
    [
        "quasar.verification.reward",
        "quasar.config",
        "quasar.cli.main",
        "quasar.client",
        "quasar.mcp.server",
    ],
)
def test_light_modules_do_not_load_ray_or_torch(module):
    program = (
        f"import sys, {module}; "
        "sys.exit(' '.join({'ray', 'torch', 'transformers', 'deepspeed'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
