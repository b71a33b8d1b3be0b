"""One name means one thing: no two modules define a public class or type of the same name."""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "quasar"
# Names that several modules share because they mean the same: name -> why.
SHARED: dict[str, str] = {}


def types_of(source: str) -> set[str]:
    """Public classes and type aliases that a module defines; its type variables are its own."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not _is_variable(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in found if name[0].isupper() and not name.isupper()}


def _is_variable(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func) in ("TypeVar", "ParamSpec")


def shared_names(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """Each name that more than one module defines, with these modules."""
    modules: dict[str, list[str]] = {}
    for module, source in sources.items():
        for name in types_of(source):
            modules.setdefault(name, []).append(module)
    return {name: found for name, found in modules.items() if len(found) > 1}


def test_each_name_means_one_thing():
    paths = sorted(PACKAGE.rglob("*.py"))
    found = shared_names({str(p.relative_to(PACKAGE)): p.read_text("utf-8") for p in paths})
    assert found.keys() == SHARED.keys(), found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("class Gate: ...", True),
        ("Gate = tuple[str, int]", True),
        ("Gate: TypeAlias = tuple[str, int]", True),
        ("Gate = TypeVar('Gate')", False),
        ("class _Gate: ...", False),
        ("from q import Gate", False),
        ("GATE = 1", False),
    ],
)
def test_the_names_that_are_found(source, expected):
    assert ("Gate" in shared_names({"a": "class Gate: ...", "b": source})) == expected
