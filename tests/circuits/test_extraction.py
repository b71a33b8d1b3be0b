"""Which part of a model's answer counts as its program."""

import json
import re
import time
from random import Random

import pytest
from grammar import write_program
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits import qasm
from quasar.circuits.circuit import Circuit
from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import read_qasm
from quasar.errors import CircuitError

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


TWO = """OPENQASM 3.0;
include "stdgates.inc";
bit[2] c;
qubit[2] q;
h q[0];
cx q[0], q[1];
c[0] = measure q[0];
c[1] = measure q[1];"""
CIRCUIT = read_qasm(TWO)
LINE = TWO.replace("\n", " ")
OTHER = TWO.replace("h q[0]", "x q[0]")


def read(text: str) -> Circuit | str:
    """What is read of an answer; the kind of the refusal where there is none."""
    try:
        return read_qasm(extract_program(text))
    except CircuitError as error:
        return error.kind


@pytest.mark.parametrize(
    "text",
    [
        f"<answer>{TWO}</answer>",
        f"<answer>{LINE}</answer>",
        f"<think>Maybe OPENQASM 3.0; qubit q;</think><answer>\n{TWO}\n</answer>\n",
        f"<circuit lang='qasm'>{TWO}</circuit> <score>1</score>",
        f"<pre><code>{TWO}</code></pre>",
        f"{TWO}<|im_end|>",
        f"{TWO}\n\\boxed{{0110}}",
        f"{TWO}\n$$\\ket{{01}} + \\ket{{10}}$$;",
        f"\\boxed{{{TWO}}}",
        f"\\begin{{verbatim}}\n{TWO}\n\\end{{verbatim}}",
        f"Answer: {TWO}. Done.",
        f"Answer: {LINE} It is optimal; truly.",
        f"**Answer** {LINE} **Done**",
        f"**{TWO}**",
        f"`{LINE}`",
        f'"""{TWO}"""',
        f"program = '''{TWO}''';",
        f"```{TWO}```",
        f"```qasm3 title=a.qasm\n{TWO}\n```",
        f"   ```` openqasm\n{TWO}\n   ````\nThe end;",
        f"~~~~\n{TWO}\n~~~~",
        f"```\n{TWO}\n\nNo fence closes this; sorry",
        f"```python\nprint(1);\n```\n```\n{TWO}\n```\n```\n01: 500;\n```",
        TWO.replace("\n", "\r\n") + "\r\n</answer>\r\n",
        f"\ufeff{TWO}\ufeff",
        "\n".join("> " + line for line in TWO.split("\n")) + "\n\nBye",
        json.dumps(TWO),
        json.dumps({"name": "submit", "circuit": TWO, "note": "x;"}),
        json.dumps([OTHER, TWO], indent=2),
        f"I write OPENQASM 3.0; as you wish:\n{TWO}\nThat was `OPENQASM 3.0;` code; bye",
        f"{OTHER} or rather {TWO}",
        f"{LINE} // it measures all\nBye;",
        f"{TWO}\nGood luck;",
        f"{TWO}\nDone; and done.",
        f"{TWO}\n# Why\n1. `h q[0];` splits; 2. `cx q[0], q[1];` joins;\n- h q[0];",
        f"{TWO}\nfor the graph above, take x; or y",
        f"{TWO}\nif you run this; you get 01",
        f"{TWO}\nmeasure all of it; then stop",
        f"{TWO}\nlet me know; thanks",
        f"{TWO}\nreturn to the start; again",
        f"{TWO}\nx = 0110",
        f"{TWO}\nc[0] = 1, c[1] = 0",
        f"{TWO}\nq[0] and q[1] are entangled; c has the result",
        f"{TWO}\n\u8fd9\u4e2a\u7535\u8def;\u597d",
        f"{TWO}\nSee https://openqasm.com; or not",
        f'{TWO}\n{{"01": 1}}',
        f"{TWO}\n{{\n  '01': 512,\n  '10': 512\n}}\n",
        f"{TWO}\nbit string: 01; gate count: 4",
        f"{TWO}\ngate set: {{h, cx}}",
        f"{TWO}\noutput: 01",
    ],
)
def test_the_end_of_a_program_is_found_by_reading_it(text):
    assert read(text) == CIRCUIT


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        # A broken statement does not vanish, whatever follows and wherever it stands.
        (TWO.replace("cx q[0], q[1];", "cx q[0] q[1];"), qasm.SYNTAX),
        (TWO.replace("cx q[0], q[1];", "</answer>"), qasm.SYNTAX),
        (TWO.replace("cx q[0], q[1];", "Let me think."), qasm.SYNTAX),
        (TWO.replace("cx q[0], q[1];", "Good luck;"), qasm.UNKNOWN_GATE),
        (f"{TWO}\ncx q[0] q[1];", qasm.SYNTAX),
        (f"{TWO}\nh q[0", qasm.SYNTAX),
        (f"{TWO}\nh q[0]\nBye.", qasm.SYNTAX),
        (f"{TWO}\nfoo bar baz;\nx q[0];", qasm.SYNTAX),
        (f"{TWO}\n%%%\nbarrier q;", qasm.SYNTAX),
        (f"{TWO}</answer> x q[0];", qasm.SYNTAX),
        (f"{TWO}\nNow I turn it around\nx q[0];\nand that is it", qasm.SYNTAX),
        (f"{TWO};", qasm.SYNTAX),
        (f"{TWO}\n/* and so", qasm.SYNTAX),
        (f"{LINE[:-1]}</answer>", qasm.SYNTAX),
        # Whole statements count, whether it is over or not.
        (f"{TWO}\nx q[0];", qasm.MID_CIRCUIT_MEASUREMENT),
        (f"{TWO}\nx q[0]; Bye", qasm.MID_CIRCUIT_MEASUREMENT),
        (f"{TWO}\nfoo q[0]; Bye", qasm.UNKNOWN_GATE),
        (f"{TWO}\nif (c[0]) x q[0]; Bye", qasm.CONTROL_FLOW),
        (f"{TWO}\n#pragma reward 99", qasm.UNSUPPORTED),
        (f"{TWO}\n{{ x q[0]; }}", qasm.UNSUPPORTED),
        (f'{TWO}\n{{"01": 1}}\nx q[0];', qasm.UNSUPPORTED),
        (f"{TWO}\nbit string\n", qasm.SYNTAX),
        # What is said of a program that breaks off.
        (TWO.replace("c[1] = measure q[1];", "</answer>"), qasm.NOT_MEASURED),
        (TWO.replace("c[1] = measure q[1];", "and so on"), qasm.NOT_MEASURED),
        (TWO.replace("c[1] = measure q[1];", "c[1] = measure q["), qasm.SYNTAX),
        (TWO.replace("cx q[0]", "OPENQASM 3.0; cx q[0]"), qasm.NOT_MEASURED),
        (TWO.replace("h q[0];\ncx", "h q[0]; OPENQASM 3.0; cx"), qasm.SYNTAX),
    ],
)
def test_no_broken_statement_vanishes(text, kind):
    assert read(text) == kind


BARE = TWO.partition("\n")[2]


@pytest.mark.parametrize(
    "text",
    [
        BARE,
        f"Sure:\n```qasm\n{BARE}\n```",
        f"Sure: {BARE} Done.",
        f"<answer>{BARE}</answer>",
        f"openqasm 3.0;\n{BARE}",
        f"OpenQASM 3.0;\n{BARE}",
        "Note: \n```\nqubit q;\nbit c;\nc = measure q;\n```\nOk: done",
        "Here:\nh q[0];\nc[0] = measure q[0];\n",
        "Sure:\n```\nqreg q[2];\ncreg c[2];\nh q[\n```",
    ],
)
def test_a_program_without_header_misses_it(text):
    assert read(text) == qasm.MISSING_HEADER


BEFORE = (
    "",
    "Sure! ",
    "Answer: ",
    "<answer>",
    "<b>Note</b>\n",
    "Let x; y:\n```qasm\n",
    "1) ",
    "> ",
)
WORDS = (
    "The", "circuit", "is", "optimal", "and", "this", "state", "has", "energy", "with", "qubits",
    "ansatz", "angles", "</answer>", "\\boxed{01}", "**so**", "(see)", "$x^2$", "0.5", "-", "`rx`",
)  # fmt: skip


@st.composite
def prose(draw):
    """Sentences; each begins with a word that is no OpenQASM."""
    sentences = draw(st.lists(st.lists(st.sampled_from(WORDS), min_size=3, max_size=8), max_size=4))
    marks = st.sampled_from((". ", "; ", ";\n", ".\n", "\n\n", " "))
    return "".join("Thus " + " ".join(words) + draw(marks) for words in sentences)


@settings(max_examples=300)
@given(st.integers(0, 2**60), st.sampled_from(BEFORE), prose(), st.sampled_from(("", "\n", " ")))
def test_a_program_within_any_prose_is_the_same(seed, before, after, blank):
    text = write_program(Random(seed)).text
    assert read_qasm(extract_program(before + text + blank + after)) == read_qasm(text)


BROKEN = (
    "h q[0",
    "cx q q;;",
    "@@@",
    "<b>",
    "x y z w;",
    "q[0] = ;",
    "(",
    "}",
    "rx(;",
    "Thus so.",
    "3",
)


@settings(max_examples=300)
@given(st.integers(0, 2**60), st.sampled_from(BROKEN), prose())
def test_a_program_with_a_broken_statement_within_is_refused(seed, broken, after):
    random = Random(seed)
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", write_program(random).text)
    places = [m.end() for m in re.finditer(r"[;}]", text)][:-1]
    at = random.choice(places)
    changed = f"{text[:at]}\n{broken}\n{text[at:]}\n{after}"
    assert isinstance(read(changed), str)


@pytest.mark.parametrize(
    "text",
    [" " * 200_000, "OPENQASM 3.0;" + ";//" * 60_000, "OPENQASM 3;\n" * 15_000,
     "OPENQASM 3;" + "qubit " * 30_000, "OPENQASM 3;" + "/*;" * 60_000, "```" * 60_000,
     f"{TWO}\n" + "x y z;" * 30_000, f"{TWO}\n" + "Good luck;" * 20_000,
     f"{TWO}\n" + "foo q;" * 30_000, f"{TWO}\nBye\n" + "h y;\n" * 40_000,
     f"{TWO} OPENQASM 3.0;" * 900, "x; OPENQASM 3.0; " * 10_000, '"OPENQASM 3.0;\\n' * 10_000,
     f"{TWO}\n" + "f(" * 90_000, f"{TWO}\n" + "f(1)" * 50_000, f"{TWO}\n" + "{" * 190_000,
     "bit[" * 50_000, "a = measure " * 16_000, f"{TWO}\n" + "<b>" * 60_000],
)  # fmt: skip
def test_hostile_text_takes_time_in_proportion_to_its_length(text):
    """Twice the text may take three times as long, not four: the machine's own pace is the unit."""

    def seconds(part: str) -> float:
        start = time.process_time()
        extract_program(part)
        return time.process_time() - start

    for _ in range(5):  # others may load the machine
        half, whole = seconds(text[: len(text) // 2]), seconds(text)
        if whole < max(3.0 * half, 0.02):
            return
    pytest.fail(f"{half:.3f} s for half of the text, {whole:.3f} s for all of it")
