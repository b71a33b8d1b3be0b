"""Which part of a model's answer counts as its program."""

import time

import pytest

from quasar.circuits.extraction import extract_program

BODY = 'include "stdgates.inc";\nbit[1] c;\nqubit[1] q;\n{gate} q[0];\nc[0] = measure q[0];'


def program(gate: str = "h") -> str:
    return "OPENQASM 3.0;\n" + BODY.format(gate=gate)


def test_bare_program_is_itself():
    assert extract_program(program()) == program()
    assert extract_program(f"\n\n{program()}\n\n") == program()


@pytest.mark.parametrize("fence", ["```", "```qasm", "```openqasm", "~~~", "> ```"])
def test_fences_and_prose_are_left_out(fence):
    close = "~~~" if "~" in fence else "```"
    text = f"Here is the circuit; enjoy.\n\n{fence}\n{program()}\n{close}\nIt is optimal; truly.\n"
    assert extract_program(text) == program()


def test_prose_behind_an_unfenced_program_is_left_out():
    assert extract_program(program() + "\n\nThis prepares a superposition.") == program()


def test_last_of_several_complete_programs_counts():
    text = f"First try:\n```\n{program('x')}\n```\nBetter:\n```\n{program('y')}\n```"
    assert extract_program(text) == program("y")


def test_a_program_that_breaks_off_does_not_replace_a_complete_one():
    text = f'{program("x")}\n\nOPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[1] q;\nh q['
    assert extract_program(text) == program("x")


def test_without_a_complete_program_the_last_one_counts():
    assert extract_program("OPENQASM 3.0;\nqubit[1] q;\nblah").startswith("OPENQASM 3.0;")


def test_header_in_the_middle_of_a_line_counts_where_no_line_begins_so():
    text = "Answer: " + program().replace("\n", " ")
    assert extract_program(text) == program().replace("\n", " ")


def test_header_in_a_comment_of_the_program_does_not_split_it():
    text = program().replace("qubit[1]", "// as in OPENQASM 3.0;\nqubit[1]")
    assert extract_program(text) == text


def test_comment_behind_the_last_statement_is_kept_with_it():
    for comment in ("// done", "/* done */"):
        assert extract_program(f"{program()} {comment}\nBye") == f"{program()} {comment}"


def test_text_without_a_program_is_returned_for_the_reader_to_refuse():
    assert extract_program("  I cannot do that. ") == "I cannot do that."


@pytest.mark.parametrize(
    "text",
    [" " * 200_000, "OPENQASM 3.0;" + ";//" * 60_000, "OPENQASM 3;\n" * 15_000,
     "OPENQASM 3;" + "qubit " * 30_000, "OPENQASM 3;" + "/*;" * 60_000, "```" * 60_000],
)  # fmt: skip
def test_hostile_text_takes_no_long_time(text):
    start = time.process_time()
    extract_program(text)
    assert time.process_time() - start < 2.0
