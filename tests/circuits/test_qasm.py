"""Reading programs: what is accepted, what is refused and how it is said, and within what time."""

import json
import math
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.circuits import qasm
from quasar.circuits.circuit import STANDARD_GATES, Circuit, Gate
from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import Limits, read_qasm
from quasar.circuits.qasm.fast_reader import read_plain
from quasar.circuits.qasm.semantics import read_complete
from quasar.errors import CircuitError
from tests.support.machine import unit, young_heap

LIMITS = Limits()
HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
HEAD = HEADER + "bit[3] c;\nqubit[3] q;\n"  # the body starts on line 5
TAIL = "\nc = measure q;\n"
DATA = Path(__file__).parents[3] / "shared" / "data"
NAMES = sorted(set(STANDARD_GATES) - {"CX", "phase", "cphase"})


def gates(body: str) -> tuple[Gate, ...]:
    return read_qasm(HEAD + body + TAIL).gates


def outcome(read, text):
    """A circuit, None, or the refusal's kind and line."""
    try:
        return read(text, LIMITS)
    except CircuitError as error:
        return error.kind, error.line


@st.composite
def circuits(draw):
    n = draw(st.integers(1, 4))
    found = []
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=8)):
        num_params, num_qubits = STANDARD_GATES[name]
        if num_qubits <= n:
            qubits = draw(st.permutations(range(n)))[:num_qubits]
            angle = st.floats(-7, 7).map(lambda a: round(a, 4))
            params = tuple(draw(angle) for _ in range(num_params))
            found.append(Gate(name, tuple(qubits), params))
    return Circuit(n, tuple(found))


@settings(max_examples=60)
@given(circuits())
def test_what_is_printed_is_read_back_by_both_readers(circuit):
    text = circuit.to_qasm(decimals=4)
    assert read_plain(text, LIMITS) == circuit
    assert read_complete(text, LIMITS) == circuit


PIECES = [
    "h q[0];", "h q;", "rx(0.5) q[1];", "rx(-1) q[2];", "rz(pi/2) q[0];", "ry(-3*pi/4) q[1];",
    "cx q[0], q[1];", "cx q[1],q[1];", "ccx q[0],q[1],q[2];", "cp(2e-1) q[2], q[0];", "id q[1];",
    "CX q[0],q[2];", "phase(.5) q[0];", "U(1,2,3.) q[0];", "h q[3];", "foo q[0];", "rx q[0];",
    "cx q[0];", "rx(1e999) q[0];", "// note\n", "/* note\n */", "c[0] = measure q[0];",
    "c = measure q;", "c[3] = measure q[0];", "barrier q;", "reset q[0];", "h", "x q[0]", "\t\r\n",
    "rx(+1) q[0];", "rx(1_0) q[0];", "qubit[2] r;", "bit d;", "measure q[0];", "rx() q[0];",
    "let q[0];", "qubit[2] gate;", "reset = measure q;", "h pi[0];",
    "gate g a { h a; }", "g q[0];", "h q[0:1];", "rx(1) q[0], q[1];", "rx(1/2) q[0];",
]  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=6), st.booleans())
def test_the_plain_reader_agrees_with_the_complete_one_or_declines(pieces, ends):
    text = HEAD + "\n".join(pieces) + (TAIL if ends else "")
    plain = outcome(read_plain, text)
    assert plain is None or plain == outcome(read_complete, text)


@pytest.mark.slow
def test_both_readers_agree_on_published_circuits_and_model_outputs():
    if not DATA.is_dir():
        pytest.skip("the benchmark files are not beside this repository")
    texts = [
        json.loads(line)["reference_circuit"]
        for line in (DATA / "problems.jsonl").read_text().splitlines()
    ]
    generations = (DATA / "generations_deepseek_v3_pass1.jsonl").read_text().splitlines()
    texts += [json.loads(line)["completions"][0] for line in generations]
    declined = 0
    for text in map(extract_program, texts):
        plain = outcome(read_plain, text)
        declined += plain is None
        assert plain is None or plain == outcome(read_complete, text)
    assert len(texts) == 220
    assert declined <= 2


def test_forms_that_people_write():
    assert gates("h q;") == tuple(Gate("h", (q,)) for q in range(3))
    assert gates("rx(pi) q[0];") == (Gate("rx", (0,), (math.pi,)),)
    assert gates("rz(0) q[2];") == (Gate("rz", (2,), (0.0,)),)
    assert gates("rx(2*(pi-1)/4) q[0];") == (Gate("rx", (0,), (2 * (math.pi - 1) / 4,)),)
    assert gates("gate g(t) a, b { cx a, b; rz(2*t) b; } g(0.25) q[2], q[0];") == (
        Gate("cx", (2, 0)),
        Gate("rz", (0,), (0.5,)),
    )
    assert gates("ctrl @ x q[0], q[1]; inv @ s q[2];") == (Gate("cx", (0, 1)), Gate("sdg", (2,)))
    assert gates("let a = q[1:2]; h a;") == (Gate("h", (1,)), Gate("h", (2,)))


def test_several_registers_are_counted_in_order_of_declaration():
    text = HEADER + "qubit[2] a; qubit b; bit[3] c; x b; c[0:1] = measure a; c[2] = measure b;"
    assert read_qasm(text) == Circuit(3, (Gate("x", (2,)),))


def test_old_style_measurement_arrow_is_read():
    text = HEADER + "qubit[1] q;\nbit[1] c;\nx q[0];\nmeasure q -> c;"
    assert read_qasm(text) == Circuit(1, (Gate("x", (0,)),))


def test_comments_do_not_swallow_the_program():
    body = "// a comment; h q[1];\nx q[0]; // another\n/* h q[2];\n*/ y q[1];"
    assert gates(body) == (Gate("x", (0,)), Gate("y", (1,)))


REFUSALS = [
    ("h q[3];", qasm.INDEX_OUT_OF_RANGE, 5),
    ("x q[0];\nh q[1:4];", qasm.INDEX_OUT_OF_RANGE, 6),
    ("\n\ncccz q[0];", qasm.UNKNOWN_GATE, 7),
    ("cx q[1], q[1];", qasm.REPEATED_QUBIT, 5),
    ("h q[0]\nx q[1];", qasm.SYNTAX, 6),
    ("rx q[0];", qasm.WRONG_ARGUMENTS, 5),
    ("cx q[0];", qasm.WRONG_ARGUMENTS, 5),
    ("rx(1e999) q[0];", qasm.NON_FINITE_ANGLE, 5),
    ("rx(1/0) q[0];", qasm.NON_FINITE_ANGLE, 5),
    ("rx(nan) q[0];", qasm.UNKNOWN_NAME, 5),
    ("c[0] = measure q[0];\nh q[0];", qasm.MID_CIRCUIT_MEASUREMENT, 6),
    ("c[0] = measure q[0];", qasm.MID_CIRCUIT_MEASUREMENT, 6),
    ("reset q[0];", qasm.RESET, 5),
    ("if (c[0] == 1) { x q[0]; }", qasm.CONTROL_FLOW, 5),
    ("for int i in [0:1000000000] { h q[0]; }", qasm.CONTROL_FLOW, 5),
    ("while (true) { h q[0]; }", qasm.CONTROL_FLOW, 5),
    ("def f(int a) -> int { return a; }", qasm.UNSUPPORTED, 5),
    ("input float t;", qasm.UNSUPPORTED, 5),
    ("h $0;", qasm.UNSUPPORTED, 5),
    ('include "/etc/passwd";', qasm.BAD_INCLUDE, 5),
    ("gate g a { g a; }", qasm.RECURSIVE_GATE, 5),
    ("/* no end", qasm.SYNTAX, 5),
    ("measure q;", qasm.NOT_MEASURED, 5),
    ("h q[0]; @@@", qasm.SYNTAX, 5),
]


@pytest.mark.parametrize(("body", "kind", "line"), REFUSALS)
def test_a_refusal_names_kind_and_line(body, kind, line):
    with pytest.raises(CircuitError) as caught:
        gates(body)
    assert (caught.value.kind, caught.value.line) == (kind, line)
    assert str(caught.value).startswith(f"line {line}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", qasm.EMPTY),
        (" \n", qasm.EMPTY),
        ("I cannot do that.", qasm.SYNTAX),
        ("qubit[1] q;", qasm.MISSING_HEADER),
        ('OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1];', qasm.MISSING_HEADER),
        ("OPENQASM 3.0;\nqubit[1] q;\nbit[1] c;\nc = measure q;", qasm.BAD_INCLUDE),
        ("OPENQASM 3.0;\nqubit[1] q;\nh q[0];", qasm.BAD_INCLUDE),
        (HEADER, qasm.NO_QUBITS),
        (HEAD + "h q[0];", qasm.NOT_MEASURED),
        (HEAD + "c[0] = measure q[0]; c[0] = measure q[1];", qasm.NOT_MEASURED),
        (HEADER + "qubit[21] q;", qasm.TOO_MANY_QUBITS),
        (HEADER + "qubit[12] q; qubit[12] r;", qasm.TOO_MANY_QUBITS),
    ],
)
def test_programs_that_are_no_circuit_are_refused(text, kind):
    with pytest.raises(CircuitError) as caught:
        read_qasm(text)
    assert caught.value.kind == kind


@pytest.mark.parametrize("statement", ["h q[0];\n", "barrier q[0];\n"])
def test_a_million_statements_are_refused_quickly(statement):
    text = HEAD + statement * 1_000_000 + TAIL
    with young_heap():
        start = time.process_time()
        with pytest.raises(CircuitError) as caught:
            read_qasm(text, Limits(max_text_bytes=10**8))
        assert time.process_time() - start < 200.0 * unit()
    assert caught.value.kind in (qasm.TOO_MANY_GATES, qasm.TOO_LONG)


def test_gates_are_counted_after_expansion():
    limits = Limits(max_gates=5)
    assert len(read_qasm(HEAD + "h q; x q[0]; y q[0];" + TAIL, limits).gates) == 5
    for body in ("h q; h q;", "gate g a { x a; x a; x a; } g q[0]; g q[0];"):
        with pytest.raises(CircuitError) as caught:
            read_qasm(HEAD + body + TAIL, limits)
        assert caught.value.kind == qasm.TOO_MANY_GATES


@settings(max_examples=100)
@given(st.text(max_size=200) | st.text(max_size=80).map(lambda t: HEAD + t))
def test_any_text_is_read_or_refused(text):
    found = outcome(lambda t, limits: read_qasm(t, limits), text)
    assert isinstance(found, Circuit) or found[0] in vars(qasm).values()


def test_an_error_survives_pickling():
    import pickle

    with pytest.raises(CircuitError) as caught:
        gates("h q[9];")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.kind, copy.line, str(copy)) == (qasm.INDEX_OUT_OF_RANGE, 5, str(caught.value))
