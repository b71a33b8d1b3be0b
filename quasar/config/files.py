"""Configurations from presets, YAML files and overrides, and back to YAML."""

import contextlib
import difflib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from quasar.config.section import Section
from quasar.config.tree import QuasarConfig
from quasar.errors import ConfigError

PRESETS = ("laptop", "single-gpu", "cluster-4b")


def load_config(source: str | Path = "laptop", overrides: Sequence[str] = ()) -> QuasarConfig:
    """Load a preset by name or a YAML file by path, then apply `a.b=c` overrides (YAML values).

    Raises ConfigError (one line naming the key and the mend) for anything that is not valid.
    """
    tree = _read(source)
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key.strip():
            raise ConfigError(f"--set {override!r}: write it as section.key=value")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {override!r}: the value is not YAML") from error
        _put(tree, key.strip().split("."), value)
    return config_from_dict(tree)


def with_overrides(config: QuasarConfig, values: Mapping[str, Any]) -> QuasarConfig:
    """A copy of `config` with other values at dotted paths, validated like any config."""
    tree = config.model_dump()
    for path, value in values.items():
        _put(tree, path.split("."), value)
    return config_from_dict(tree)


def config_from_dict(tree: Any) -> QuasarConfig:
    """Validate a nested dict; raises ConfigError with every problem in one line."""
    if not isinstance(tree, dict):
        raise ConfigError("config: expected a mapping of sections at the top")
    try:
        return QuasarConfig.model_validate(_floats(tree, QuasarConfig))
    except ValidationError as error:
        raise ConfigError("config: " + "; ".join(_explain(e) for e in error.errors())) from None


def flatten(config: Section, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """(dotted path, value, description) of each leaf, in the order of the tree."""
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, Section):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, field.description or ""


def to_commented_yaml(config: Section, indent: int = 0) -> str:
    """YAML of the resolved tree with a comment on each value; `load_config` reads it back."""
    lines = []
    for name, field in type(config).model_fields.items():
        value, pad = getattr(config, name), "  " * indent
        if isinstance(value, Section):
            lines.append(f"{pad}{name}:  # {field.description}")
            lines.append(to_commented_yaml(value, indent + 1))
        else:
            plain = list(value) if isinstance(value, tuple) else value
            text = yaml.safe_dump(plain, default_flow_style=True, width=10_000).removesuffix(
                "...\n"
            )
            lines.append(f"{pad}{name}: {text.strip()}  # {field.description}")
    return "\n".join(lines)


def _read(source: str | Path) -> dict[str, Any]:
    if str(source) in PRESETS:
        text = resources.files("quasar").joinpath(f"presets/{source}.yaml").read_text("utf-8")
    else:
        path = Path(source)
        if not path.is_file():
            raise ConfigError(
                f"config {str(source)!r}: no such preset or file; presets: {', '.join(PRESETS)}"
            )
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"config {source}: not a readable text file") from error
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(f"config {source}{where}: not valid YAML") from error
    if tree is not None and not isinstance(tree, dict):
        raise ConfigError(f"config {source}: expected a mapping of sections at the top")
    return tree or {}


def _put(tree: Any, path: list[str], value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {'.'.join(path)}: '{name}' is a value, not a section")
    tree[path[-1]] = value


def _floats(tree: Any, model: type[Section]) -> Any:
    """YAML 1.1 reads 1e-6 as a string; give numeric fields their number back."""
    if not isinstance(tree, dict):
        return tree
    fixed = {}
    for name, value in tree.items():
        field = model.model_fields.get(name)
        annotation = field.annotation if field else None
        if isinstance(annotation, type) and issubclass(annotation, Section):
            value = _floats(value, annotation)
        elif annotation is float and isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = float(value)
        fixed[name] = value
    return fixed


def _explain(error: Any) -> str:
    path = [str(part) for part in error["loc"]]
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        section: Any = QuasarConfig
        for part in path[:-1]:
            section = section.model_fields[part].annotation
        near = difflib.get_close_matches(path[-1], section.model_fields, n=1, cutoff=0.5)
        everywhere = {p.rsplit(".", 1)[-1]: p for p, _, _ in flatten(QuasarConfig())}
        if near:
            hint = ".".join([*path[:-1], near[0]])
        else:
            other = difflib.get_close_matches(path[-1], everywhere, n=1, cutoff=0.6)
            hint = everywhere[other[0]] if other else None
        mend = f"did you mean '{hint}'?" if hint else f"valid: {', '.join(section.model_fields)}"
        return f"unknown key '{name}'; {mend}"
    return f"'{name}' = {error['input']!r}: {error['msg']}" if name else error["msg"]
