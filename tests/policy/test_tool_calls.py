"""Tool calls of chat templates, and where a program ends."""

import json

import pytest

from quasar.circuits.circuit import Circuit, Gate
from quasar.errors import ConfigError
from quasar.policy.chat import ChatFormat
from quasar.policy.program_end import EndOfProgram, measures_all
from quasar.policy.tool_calls import TOOL_NAME, VERIFY_CIRCUIT, called_circuit, submitted_circuit

PROGRAM = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1)))).to_qasm()


def call(circuit=PROGRAM, *, name=TOOL_NAME, **arguments) -> str:
    body = {"name": name, "arguments": {"circuit": circuit, **arguments}}
    return f"<tool_call>\n{json.dumps(body)}\n</tool_call>"


@pytest.mark.parametrize(
    ("text", "circuit"),
    [
        (call(), PROGRAM),
        ("Let me check.\n" + call() + "\n", PROGRAM),
        (call("first") + "\n" + call("second"), "second"),
        (call() + call(name="another_tool"), PROGRAM),
        (call().removesuffix("\n</tool_call>"), PROGRAM),  # cut at the token limit, JSON whole
        (json.dumps({"name": TOOL_NAME}).join(("<tool_call>", "</tool_call>")), None),
        (call()[:60], None),
        (call(name="another_tool"), None),
        ("<tool_call>[1, 2]</tool_call>", None),
        ('<tool_call>{"name": "verify_circuit", "arguments": "x"}</tool_call>', None),
        ("<tool_call>" + "[" * 100_000, None),
        (call(7), None),
        (PROGRAM, None),
        ("", None),
    ],
)
def test_the_circuit_of_a_call(text, circuit):
    assert called_circuit(text) == circuit
    assert submitted_circuit(text) == (text if circuit is None else circuit)


def test_line_breaks_within_the_string_and_arguments_as_text_are_read():
    raw = f'<tool_call>{{"name": "{TOOL_NAME}", "arguments": {{"circuit": "a;\nb;"}}}}</tool_call>'
    assert called_circuit(raw) == "a;\nb;"
    nested = {"name": TOOL_NAME, "arguments": json.dumps({"circuit": PROGRAM})}
    assert called_circuit(f"<tool_call>{json.dumps(nested)}</tool_call>") == PROGRAM


def test_the_tool_is_declared_and_its_answer_framed_as_the_template_says(tool_tokenizer):
    chat = ChatFormat(tool_tokenizer, tool_format="chat_template")
    messages = [{"role": "user", "content": "solve"}]
    prompt = tool_tokenizer.decode(chat.prompt_ids(messages))
    assert json.dumps(VERIFY_CIRCUIT["function"]["name"]) in prompt
    assert prompt.endswith("<|im_start|>assistant\n")
    compact = ChatFormat(tool_tokenizer).prompt_ids(messages)
    assert TOOL_NAME not in tool_tokenizer.decode(compact)
    ids = chat.observation_ids("energy −1", max_tokens=200, ended=False)
    assert tool_tokenizer.decode(ids) == (
        "<|im_end|>\n<|im_start|>user\n<tool_response>\nenergy −1\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert chat.observation_ids("energy −1", max_tokens=200) == ids[1:]


def test_a_template_without_tools_is_refused(tiny_policy):
    from transformers import AutoTokenizer

    with pytest.raises(ConfigError, match="takes no tools"):
        ChatFormat(AutoTokenizer.from_pretrained(tiny_policy), tool_format="chat_template")


HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


@pytest.mark.parametrize(
    ("program", "over"),
    [
        ("qubit[2] q;\nbit[2] c;\nc = measure q;", True),
        ("qubit[2] q;\nc[0] = measure q[0];\nc[1] = measure q[1];", True),
        ("qubit q;\nbit c;\nc = measure q;", True),
        ("qubit[2] a;\nqubit[1] b;\nc[0] = measure b[0];\nd = measure a;", True),
        ("qubit[2] q;\nmeasure q -> c;", True),
        ("qubit[2] q;\nc[0] = measure q[0];\nc[0] = measure q[0];", False),
        ("qubit[2] a;\nqubit[1] b;\nd = measure a;", False),
        ("qubit[2] q;\nh q[0];", False),
        ("bit[2] c;\nc = measure q;", False),
        ("", False),
    ],
)
def test_a_program_is_over_when_all_its_qubits_are_measured(program, over):
    assert measures_all(HEAD + program) is over


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PROGRAM + "\nThat is all.", PROGRAM),
        ("A draft: " + PROGRAM[:60] + "; Better:\n" + PROGRAM + "```", "..." + PROGRAM),
        (call() + "\nmore", call()),
        (HEAD + "qubit[2] q;\nh q[0];\nprose; and; more;", None),
        ("measure; measure; OPENQASM", None),
    ],
)
@pytest.mark.parametrize("width", [1, 3, 8])
def test_the_end_is_seen_in_whatever_pieces_it_comes(text, expected, width):
    pieces = [text[i : i + width] for i in range(0, len(text), width)]
    watch = EndOfProgram(pieces)
    seen = next((i for i in range(len(pieces)) if watch.take(i)), None)
    if expected is None:
        assert seen is None
        return
    written = "".join(pieces[: seen + 1])
    whole = text[: text.index(expected.removeprefix("...")) + len(expected.removeprefix("..."))]
    assert written.startswith(whole)
    assert len(written) < len(whole) + width
