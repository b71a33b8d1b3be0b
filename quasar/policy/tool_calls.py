"""The tool calls of chat models: declarations for the template, and the circuit out of the text.

The form is the one that Hermes and Qwen chat templates teach: a JSON object between `<tool_call>`
marks. The name of `verify_circuit` agrees with the MCP tool (`quasar.mcp`).
"""

import json
from collections.abc import Mapping
from typing import Any

CALL, CALL_END = "<tool_call>", "</tool_call>"
TOOL_NAME, OPTIMISE_NAME, ARGUMENT = "verify_circuit", "optimise_circuit", "circuit"
_PROGRAM = {
    "type": "object",
    "properties": {
        ARGUMENT: {
            "type": "string",
            "description": "one OpenQASM 3 program that measures every qubit at its end",
        }
    },
    "required": [ARGUMENT],
}
VERIFY_CIRCUIT: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": TOOL_NAME,
        "description": "Simulates an OpenQASM 3 circuit for the given problem and reports energy, "
        "probability of an optimum, and what to fix.",
        "parameters": _PROGRAM,
    },
}
OPTIMISE_CIRCUIT: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": OPTIMISE_NAME,
        "description": "Optimises the angles of an OpenQASM 3 circuit for the given problem and "
        "submits the result; reports energy and probability of an optimum before and after, and "
        "the new program or its parameters.",
        "parameters": _PROGRAM,
    },
}
# What is declared of each tool of `generation.tools`.
DECLARATIONS: Mapping[str, dict[str, Any]] = {
    "verify": VERIFY_CIRCUIT,
    "optimise": OPTIMISE_CIRCUIT,
}
_DECODER = json.JSONDecoder(strict=False)  # models write line breaks into strings as they are


def called_circuit(text: str, name: str = TOOL_NAME) -> str | None:
    """The circuit of the last well-formed call of the tool in a turn; None without one."""
    for part in reversed(text.split(CALL)[1:]):
        try:
            call, _ = _DECODER.raw_decode(part.lstrip())
            if isinstance(call, dict) and isinstance(call.get("arguments"), str):
                call["arguments"] = _DECODER.decode(call["arguments"])  # JSON within JSON
        except (ValueError, RecursionError):
            continue
        if not isinstance(call, dict) or call.get("name") != name:
            continue
        arguments = call.get("arguments")
        circuit = arguments.get(ARGUMENT) if isinstance(arguments, dict) else None
        if isinstance(circuit, str):
            return circuit
    return None


def submitted_circuit(text: str) -> str:
    """What a turn gives to its tool: the circuit of its call, or else the text itself."""
    for name in (TOOL_NAME, OPTIMISE_NAME):
        circuit = called_circuit(text, name)
        if circuit is not None:
            return circuit
    return text
