"""Fields of a row of a problem file: what is there, of which kind, and what is wrong with it."""

import json
from collections.abc import Mapping
from typing import Any

from quasar.errors import InputError

_REQUIRED = object()
_KINDS = {str: "text", int: "an integer", Mapping: "an object", list: "a list"}


def get_field(row: Mapping[str, Any], name: str, kind: type, default: Any = _REQUIRED) -> Any:
    """A field of that kind; the default where it is missing or null. Raises InputError."""
    value = row.get(name)
    if value is None:
        if default is _REQUIRED:
            raise InputError(f"field '{name}' is missing; found: {', '.join(map(str, row))}")
        return default
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"field '{name}' is {shortened(value)}, expected {_KINDS[kind]}")
    return value


def as_object(name: str, value: Any) -> Any:
    """The value, parsed where it is JSON text. Raises InputError for text that is none."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        raise InputError(f"field '{name}' is text that is not JSON: {shortened(value)}") from None


def shortened(value: Any) -> str:
    """A value as an error tells it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
