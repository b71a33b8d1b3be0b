"""The generated references: of the command line, the configuration and the HTTP interface.

Each is Markdown made of what the program itself uses: the argument parser, the tree of settings,
the OpenAPI document.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from quasar.cli.main import build_parser
from quasar.config import PRESETS, Section, load_config
from quasar.config.tree import QuasarConfig


def command_line() -> str:
    """A section a command, its options in a table."""
    lines = ["# Command line", "", "Made from the program's own parser.", ""]
    for parser, summary in _commands(build_parser(), ""):
        lines += [f"## `{parser.prog}`", "", summary, "", "```text", _usage(parser), "```", ""]
        rows = [row for action in parser._actions if (row := _row(action))]
        lines += ["| argument | what it is |", "|---|---|", *rows, ""] if rows else []
        if parser.epilog:
            lines += [_escaped(parser.epilog), ""]
    return "\n".join(lines)


def _commands(
    parser: argparse.ArgumentParser, summary: str
) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    yield parser, parser.description or f"{summary[:1].upper()}{summary[1:]}."
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, below in action.choices.items():
                yield from _commands(below, helps.get(name, ""))


def _usage(parser: argparse.ArgumentParser) -> str:
    formatter = argparse.HelpFormatter(parser.prog, width=90)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups, "")
    return formatter.format_help().strip()


def _row(action: argparse.Action) -> str:
    """Empty for what every command has, and for the choice of a command."""
    common = {"help", "config", "overrides", "verbose"}
    if action.dest in common or isinstance(action, argparse._SubParsersAction):
        return ""
    name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    if action.option_strings and action.nargs != 0 and action.metavar:
        name += f" {action.metavar}"
    values: dict[str, Any] = {**vars(action), "prog": "quasar"}
    if action.choices is not None:
        values["choices"] = ", ".join(map(str, action.choices))
    return f"| `{name}` | {_escaped((action.help or '') % values)} |"


def configuration() -> str:
    """A section of the tree a section; default, range and the presets that differ."""
    lines = [
        "# Configuration",
        "",
        "Every setting is `--set section.key=value`, or a line of a YAML file for `--config`;",
        "`quasar config show PRESET` prints a whole one. Made from the tree itself.",
        "",
    ]
    presets = {name: load_config(name) for name in PRESETS}
    for name, field in QuasarConfig.model_fields.items():
        section = field.annotation
        assert isinstance(section, type)
        assert issubclass(section, Section)
        lines += [f"## {name}", "", f"{field.description}.", ""]
        lines += ["| setting | default | what it is | in presets |", "|---|---|---|---|"]
        lines += _settings(section, name, presets)
        lines.append("")
    return "\n".join(lines)


def _settings(section: type[Section], path: str, presets: Mapping[str, Any]) -> Iterator[str]:
    for name, field in section.model_fields.items():
        here, below = f"{path}.{name}", field.annotation
        if isinstance(below, type) and issubclass(below, Section):
            yield from _settings(below, here, presets)
            continue
        default = field.get_default(call_default_factory=True)
        other = {}
        for preset, tree in presets.items():
            value: Any = tree
            for part in here.split("."):
                value = getattr(value, part)
            if value != default:
                other.setdefault(_shown(value), []).append(preset)
        differ = "; ".join(f"`{value}` {', '.join(names)}" for value, names in other.items())
        told = [_escaped(field.description or ""), _range(field)]
        yield f"| `{here}` | `{_shown(default)}` | {' '.join(filter(None, told))} | {differ} |"


def _range(field: Any) -> str:
    limits = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    parts = [
        f"{words} {getattr(limit, name)}"
        for limit in field.metadata
        for name, words in limits.items()
        if hasattr(limit, name)
    ]
    if not parts and (choices := get_args(field.annotation)):
        plain = [choice for choice in choices if isinstance(choice, str)]
        parts = [f"one of {', '.join(plain)}"] if plain else []
    return f"({', '.join(parts)})" if parts else ""


def _shown(value: Any) -> str:
    value = list(value) if isinstance(value, tuple) else value
    text = json.dumps(value, default=str) if not isinstance(value, str) else value
    text = text or '""'
    return text if len(text) < 60 else f"{text[:56]} …"


def http() -> str:
    """A section a route, with the fields of its body and its answers."""
    from quasar.serving.api import create_api
    from quasar.serving.models import ServedModels
    from quasar.serving.service import CircuitService

    async def unused(requests):
        raise NotImplementedError

    config = load_config("laptop")
    document = create_api(CircuitService(ServedModels(), unused, config)).openapi()
    lines = [
        "# HTTP",
        "",
        "Made from the OpenAPI document, which a running endpoint gives at `/openapi.json` and",
        "shows at `/docs`. What the fields mean at length, the stream of events and the limits:",
        "[The endpoint](../endpoint.md).",
        "",
    ]
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            lines += [f"## `{method.upper()} {path}`", "", _plain(route.get("description", "")), ""]
            body = route.get("requestBody", {}).get("content", {}).get("application/json", {})
            if body:
                lines += [f"Body: {_type(body['schema'])}", ""]
            lines += ["| status | what it is |", "|---|---|"]
            for status, answer in route["responses"].items():
                content = answer.get("content", {}).get("application/json", {}).get("schema", {})
                told = answer.get("description", "")
                lines.append(f"| {status} | {told}{f': {_type(content)}' if content else ''} |")
            lines.append("")
    lines += ["## Schemas", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += [f"### {name}", "", _plain(schema.get("description", "")), ""]
        rows = [
            f"| `{field}`{' (required)' if field in schema.get('required', ()) else ''} "
            f"| {_type(value)} | {_escaped(value.get('description', ''))} |"
            for field, value in schema.get("properties", {}).items()
        ]
        lines += ["| field | type | what it is |", "|---|---|---|", *rows, ""] if rows else []
    return "\n".join(lines)


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in words; a named one as a link to its section."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(_type(part) for part in schema[key])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _plain(text: str) -> str:
    """A docstring as a paragraph."""
    return _escaped(" ".join(text.split()))


def _escaped(text: str) -> str:
    """Text that Markdown must not read as HTML or as another column."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


REFERENCES = {"cli": command_line, "configuration": configuration, "http": http}
