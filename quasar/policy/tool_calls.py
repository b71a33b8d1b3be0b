"""The tool call of chat models: its declaration for the template, and the circuit out of the text.

The form is the one that Hermes and Qwen chat templates teach: a JSON object between `<tool_call>`
marks. Names agree with the MCP tool (`quasar.tool`).
"""

import json
from typing import Any

CALL, CALL_END = "<tool_call>", "</tool_call>"
TOOL_NAME, ARGUMENT = "verify_circuit", "circuit"
VERIFY_CIRCUIT: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": TOOL_NAME,
        "description": "Simulates an OpenQASM 3 circuit for the given problem and reports energy, "
        "probability of an optimum, and what to mend.",
        "parameters": {
            "type": "object",
            "properties": {
                ARGUMENT: {
                    "type": "string",
                    "description": "one OpenQASM 3 program that measures every qubit at its end",
                }
            },
            "required": [ARGUMENT],
        },
    },
}
_DECODER = json.JSONDecoder(strict=False)  # models write line breaks into strings as they are


def called_circuit(text: str) -> str | None:
    """The circuit of the last well-formed `verify_circuit` call in a turn; None without one."""
    for part in reversed(text.split(CALL)[1:]):
        try:
            call, _ = _DECODER.raw_decode(part.lstrip())
            if isinstance(call, dict) and isinstance(call.get("arguments"), str):
                call["arguments"] = _DECODER.decode(call["arguments"])  # JSON within JSON
        except (ValueError, RecursionError):
            continue
        if not isinstance(call, dict) or call.get("name") != TOOL_NAME:
            continue
        arguments = call.get("arguments")
        circuit = arguments.get(ARGUMENT) if isinstance(arguments, dict) else None
        if isinstance(circuit, str):
            return circuit
    return None


def submitted_circuit(text: str) -> str:
    """What a turn gives to the verifier: the circuit of its call, or else the text itself."""
    circuit = called_circuit(text)
    return text if circuit is None else circuit
