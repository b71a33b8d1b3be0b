"""How a person states each family of Clifford targets."""

from quasar.tasks.base import ContentField, ContentForm
from quasar.tasks.stabiliser.families import CODES, FIELDS, MAX_QUBITS, possible_qubits

_STATE = {"stabilisers": ["+XXX", "+ZZI", "+IZZ"]}
_GRAPH = {"stabilisers": ["+XZI", "+ZXZ", "+IZX"]}
_ENCODER = {"stabilisers": ["+XXXX", "+ZZZZ"], "logical_x": ["+XXII", "+XIXI"],
            "logical_z": ["+ZIZI", "+ZZII"]}  # fmt: skip
_CSS = {"stabilisers": ["+XXXX", "+ZZII", "+IIZZ"], "logical_x": ["+XXII"],
        "logical_z": ["+ZIZI"]}  # fmt: skip
_OPERATOR = {"logical_x": ["+XX", "+IX"], "logical_z": ["+ZI", "+ZZ"]}
_GIVEN = {
    "clifford": _OPERATOR, "state": _STATE, "graph": _GRAPH, "css": _CSS, "custom": _ENCODER
}  # fmt: skip


def content_form(family: str) -> ContentForm:
    """The rows; of a code that has a name none, but its size where it has several."""
    if family in CODES:
        sizes = possible_qubits(family, MAX_QUBITS)
        return ContentForm({}, {}, sizes[0] if len(sizes) > 1 else None)
    example = _GIVEN[family]
    fields = FIELDS if family == "custom" else tuple(example)
    optional = family == "custom"
    return ContentForm(
        {name: ContentField("pauli_strings", optional=optional) for name in fields}, example
    )
