"""Where writing stops: at the end of the program, and not before it."""

import pytest

from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import read_qasm
from quasar.policy.program_end import EndOfProgram

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
PLAIN = HEAD + "bit[2] c;\nqubit[2] q;\nh q[0];\nc[0] = measure q[0];\nc[1] = measure q[1];"


def written(text: str) -> str:
    """The text up to where writing stops, a character a token."""
    pieces = sorted(set(text))
    end = EndOfProgram(pieces)
    for place, character in enumerate(text, 1):
        if end.take(pieces.index(character)):
            return text[:place]
    return text


@pytest.mark.parametrize(
    "program",
    [
        PLAIN,
        PLAIN.replace("h q", "// then measure q;\nh q"),
        PLAIN.replace("h q", "/* measure q; */ h q"),
        PLAIN.replace("h q[0];", "h q[0]; // now measure q"),
        HEAD + "qubit[2] q; bit[2] c; measure q[0] -> c[0]; measure q[1] -> c[1];",
        HEAD + "qubit[2] q; bit[2] c; c[0:0] = measure q[0:0]; c[1] = measure q[1];",
        HEAD + "const int n = 2; qubit[n] q; qubit a; bit[3] c; c[0] = measure a;"
        "c[1:2] = measure q;",
        HEAD + "qreg q[2]; creg c[2]; measure q -> c;",
        HEAD + "qubit[1] q; qreg r[1]; bit[2] c; c[0] = measure q[0]; c[1] = measure r[0];",
    ],
)
@pytest.mark.parametrize("before", ["", "Sure: ", f"<think>{PLAIN}\nNo; again</think>\n"])
def test_writing_does_not_stop_before_the_program_ends(program, before):
    text = before + program + "\nThat is it;"
    assert read_qasm(extract_program(written(text))) == read_qasm(program)


@pytest.mark.parametrize("before", ["", "Sure; look:\n```\n", "<answer>", "<think>x;</think>"])
def test_writing_stops_where_a_plain_program_ends(before):
    text = before + PLAIN
    assert written(text + "\nThat is it; and h q[0]; more") == text
