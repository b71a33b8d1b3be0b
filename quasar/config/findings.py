"""Input at the doors: values made plain, and what pydantic finds wrong with them in plain words.

`finding_text` and `finding_line` take one entry of `ValidationError.errors()`. Light: clients load
it.
"""

from collections.abc import Mapping
from typing import Any

_SHOWN = 40  # characters of a wrong value
# What pydantic asks for, as people say it.
_KINDS = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "finite_number": "must be a finite number",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def finding_text(error: Mapping[str, Any]) -> str:
    """E.g. "is missing", "must be a whole number, not 'x'"; a validator's own words as they are."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", error["msg"]))
    shown = repr(error.get("input"))
    shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
    if kind in _KINDS:
        return f"{_KINDS[kind]}, not {shown}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"must be {words} {context[name]}, not {shown}"
    if kind in ("literal_error", "enum"):
        return f"must be {context['expected']}, not {shown}"
    if kind == "string_too_long":
        return f"must have at most {context['max_length']} characters"
    if kind == "string_too_short":
        return f"must have at least {context['min_length']} characters"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]} (given: {shown})"


def finding_line(name: str, error: Mapping[str, Any]) -> str:
    """The finding with the field's name; the validator's own words where no field is at fault."""
    if not name:
        return finding_text(error)
    own = error["type"] in ("value_error", "assertion_error")
    return f"'{name}'{':' if own else ''} {finding_text(error)}"


def plain(value: Any) -> Any:
    """Plain JSON data: numpy and torch scalars become Python's, arrays lists, mappings dicts."""
    if isinstance(value, Mapping):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, (str, int, float)) and type(value).__module__ == "builtins":
        return value
    to_list = getattr(value, "tolist", None)  # numpy and torch: scalars to numbers, arrays to lists
    return value if to_list is None else to_list()
