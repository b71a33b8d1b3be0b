"""One driver of turns, one caller of a verifier, one owner of a run's paths."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "quasar"
OWNER = "system/run_paths.py"
OF_MODELS = {"config.json", "README.md"}  # the hub's, of any model or dataset


def below(source: str) -> set[str]:
    """Names that a module puts behind a path: of `directory / "steps.jsonl"`, `steps.jsonl`."""
    return {
        node.right.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div)
        and isinstance(node.right, ast.Constant)
        and isinstance(node.right.value, str)
    }


def calls(source: str, *dotted: str) -> set[str]:
    """What a module calls whose name ends in one of the dotted ones."""
    return {
        called
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and f".{(called := ast.unparse(node.func))}".endswith(tuple(f".{name}" for name in dotted))
    }


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    return {
        str(path.relative_to(PACKAGE)): path.read_text("utf-8") for path in PACKAGE.rglob("*.py")
    }


def test_one_module_spells_the_paths_of_a_run(sources):
    owned = below(sources[OWNER]) - OF_MODELS
    assert {"steps.jsonl", "checkpoints", "config.yaml"} <= owned
    others = {name: below(text) & owned for name, text in sources.items() if name != OWNER}
    assert not {name: found for name, found in others.items() if found}


def test_one_loop_lets_episodes_grow(sources):
    growing = {name for name, text in sources.items() if calls(text, "GrowingEpisode")}
    assert growing == {"episodes/loop.py"}
    driving = {name for name, text in sources.items() if calls(text, "EpisodeLoop")}
    assert driving == {"episodes/runner.py", "serving/search.py"}  # in a process, over replicas


def test_one_place_calls_a_verifier(sources):
    """All others ask a `VerificationClient`, whose `verify` takes requests."""
    calling = set()
    for name, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "verify"
                and len(node.args) > 1
            ):
                calling.add(name)
    assert calling == {"verification/request.py"}
