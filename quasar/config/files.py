"""Configurations from presets, YAML files and overrides, and back to YAML."""

import contextlib
import difflib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from quasar.config.findings import finding_text
from quasar.config.section import PLACE, RESUMES, Section
from quasar.config.task_names import EVERY_TASK, declared_parts, shared_parts, task_names
from quasar.config.tree import QuasarConfig
from quasar.config.verification import RewardWeights
from quasar.errors import ConfigError

PRESETS = (
    "laptop",
    "single-gpu",
    "cluster-4b",
    "policy",
    "published",
    "laptop-tasks",
    "imitation",
    "small-llm",
    "remote",
)
_RELATIVE_SQLITE = "sqlite:///"  # with one slash more the path is absolute
_MLFLOW_NAMES = ("databricks", "databricks-uc", "uc")  # stores without a scheme


def load_config(source: str | Path = "laptop", overrides: Sequence[str] = ()) -> QuasarConfig:
    """Load a preset by name or a YAML file by path, then apply `a.b=c` overrides (YAML values).

    Raises ConfigError (one line naming the key and a hint) for anything that is not valid.
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
    if isinstance(config, RewardWeights):
        for name, value in config.further.items():
            yield f"{prefix}{name}", value, "weight of a part (quasar tasks show)"


def marked(config: Section, mark: str, prefix: str = "") -> Iterator[str]:
    """Dotted paths of the leaves that carry a mark (see `quasar.config.section`), their section's
    marks included.
    """
    for name, field in type(config).model_fields.items():
        extra = field.json_schema_extra
        has_mark = isinstance(extra, dict) and mark in extra
        value, path = getattr(config, name), f"{prefix}{name}"
        if has_mark:
            yield from (
                (p for p, _, _ in flatten(value, f"{path}."))
                if isinstance(value, Section)
                else (path,)
            )
        elif isinstance(value, Section):
            yield from marked(value, mark, f"{path}.")


def computed(config: QuasarConfig) -> dict[str, Any]:
    """The settings that say what is computed, by dotted path: all but those marked RESUMES."""
    free = set(marked(config, *RESUMES))
    return {path: value for path, value, _ in flatten(config) if path not in free}


def with_absolute_places(config: QuasarConfig) -> QuasarConfig:
    """The configuration with each setting that names a place of this machine (PLACE) absolute, so
    that it means the same wherever a run goes on. URLs and hub names stay as they are.
    """
    values = {path: value for path, value, _ in flatten(config)}
    changed = {
        path: absolute_place(values[path], path)
        for path in marked(config, *PLACE)
        if values[path] is not None
    }
    return with_overrides(config, changed)


def absolute_place(value: str, path: str) -> str:
    """One such value. path: of the setting; a model may also be a name on the hub, or "build", which
    is no directory of that name: that one is ./build.
    """
    if value.startswith(_RELATIVE_SQLITE) and not value.startswith(f"{_RELATIVE_SQLITE}/"):
        file = value.removeprefix(_RELATIVE_SQLITE)
        return value if file in ("", ":memory:") else f"{_RELATIVE_SQLITE}{_absolute(file)}"
    if ":" in value:  # a URL, or one of MLflow's own: databricks://…, file:…
        return value
    place = Path(value).expanduser()
    if path == "policy.model" and value == "build":
        return value
    is_model = path in ("policy.model", "grpo.distillation.teacher")
    if is_model and not value.startswith((".", "~")) and not place.is_dir():
        return value
    if path == "tracking.uri" and value in _MLFLOW_NAMES:
        return value
    return _absolute(value)


def _absolute(value: str) -> str:
    return str(Path(value).expanduser().resolve())


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
    if isinstance(config, RewardWeights) and config.model_extra:
        text = yaml.safe_dump(config.model_extra, sort_keys=False)
        lines += ["  " * indent + line for line in text.splitlines()]
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


def _valid_names(path: list[str]) -> list[str]:
    """The keys of a section of the tree, or of the weights of one task."""
    section: Any = QuasarConfig
    for part in path:
        if part not in section.model_fields:
            return [*EVERY_TASK, *declared_parts(part)]
        section = section.model_fields[part].annotation
    further = (*shared_parts(), *task_names()) if section is RewardWeights else ()
    return [*section.model_fields, *sorted(set(further) - set(section.model_fields))]


def _explain(error: Any) -> str:
    path = [str(part) for part in error["loc"]]
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        valid = _valid_names(path[:-1])
        near = difflib.get_close_matches(path[-1], valid, n=1, cutoff=0.5)
        everywhere = {p.rsplit(".", 1)[-1]: p for p, _, _ in flatten(QuasarConfig())}
        if near:
            hint = ".".join([*path[:-1], near[0]])
        else:
            other = difflib.get_close_matches(path[-1], everywhere, n=1, cutoff=0.6)
            hint = everywhere[other[0]] if other else None
        hint = f"did you mean '{hint}'?" if hint else f"valid: {', '.join(valid)}"
        return f"unknown key '{name}'; {hint}"
    return f"'{name}' = {error['input']!r}: {finding_text(error)}" if name else finding_text(error)
