"""OpenQASM 3 that has no place in a circuit is refused by its name, not as bad syntax.

Keyword by keyword, and statement by statement, of the grammar (qasm3Parser.g4).
"""

import pytest

from quasar.circuits import qasm
from quasar.circuits.qasm import read_qasm
from quasar.circuits.qasm.tokens import KEYWORDS
from quasar.errors import CircuitError

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[3] q;\nbit[3] c;\n'
TAIL = "\nc = measure q;"
LOOPS, CONDITIONS = (qasm.CONTROL_FLOW, "loops"), (qasm.CONTROL_FLOW, "conditions")
VARIABLES, ARRAYS = (qasm.UNSUPPORTED, "variables"), (qasm.UNSUPPORTED, "arrays")
SUBROUTINES, TIMING = (qasm.UNSUPPORTED, "subroutines"), (qasm.UNSUPPORTED, "timing")
INPUTS, CALIBRATIONS = (qasm.UNSUPPORTED, "inputs and outputs"), (qasm.UNSUPPORTED, "calibrations")
UNITS, BITS = (qasm.UNSUPPORTED, "a unit"), (qasm.UNSUPPORTED, "only a measurement")
CONSTANTS = (qasm.UNSUPPORTED, "a constant must be a number")
WITHIN = (qasm.UNSUPPORTED, "within an expression")

# Statement -> kind, and words of the message.
STATEMENTS = {
    "for int i in [0:2] { h q[i]; }": LOOPS,
    "for uint[8] i in {0, 2} h q[i];": LOOPS,
    "for i in [0:2] { h q[i]; }": LOOPS,
    "for bit b in c { h q[0]; }": LOOPS,
    "for float[64] a in angles { rx(a) q[0]; }": LOOPS,
    "while (c[0] == 0) { h q[0]; c[0] = measure q[0]; }": LOOPS,
    "while (k < 3) k += 1;": LOOPS,
    "break;": LOOPS,
    "continue;": LOOPS,
    "if (c[0]) x q[0];": CONDITIONS,
    "if (c == 1) { x q[0]; } else { y q[0]; }": CONDITIONS,
    "if (c[0]) { x q[0]; } else if (c[1]) { y q[0]; } else z q[0];": CONDITIONS,
    'if (c == "101" && !c[0]) { x q[0]; }': CONDITIONS,
    "switch (k) { case 0, 1 { x q[0]; } default { y q[0]; } }": CONDITIONS,
    "end;": (qasm.CONTROL_FLOW, "'end'"),
    "reset q;": (qasm.RESET, "'reset'"),
    "reset q[0];": (qasm.RESET, "'reset'"),
    "def f(qubit a) { h a; }\nf(q[0]);": SUBROUTINES,
    "def f(int n, qubit[2] a) -> bit { return measure a[0]; }\nc[0] = f(3, q[0:1]);": SUBROUTINES,
    "def f(readonly array[int[8], #dim = 1] a) { }": SUBROUTINES,
    "def f(mutable array[int[8], 2, 10] a, creg b[2]) { }": SUBROUTINES,
    "f(q[0]);": SUBROUTINES,
    "f(q[0], q[1:2], c[0]);": SUBROUTINES,
    "f();": SUBROUTINES,
    "f(2.5);": SUBROUTINES,
    "f(g(1), (2 + 3) * k[0], -1);": SUBROUTINES,
    "def f(qubit a) { h a; }\nint n = f(q) + 2 &; h q": SUBROUTINES,
    "return;": SUBROUTINES,
    "return 2 + 3;": SUBROUTINES,
    "return measure q[0];": SUBROUTINES,
    "extern f(int[32], float) -> bit;": (qasm.UNSUPPORTED, "external functions"),
    "extern f();": (qasm.UNSUPPORTED, "external functions"),
    "input float[64] t;": INPUTS,
    "output bit[3] r;": INPUTS,
    "input array[int, 3] a;": INPUTS,
    "int n = 3;": VARIABLES,
    "uint[8] n;": VARIABLES,
    "float[64] t = pi / 2;": VARIABLES,
    "angle[20] t = pi;": VARIABLES,
    "bool b = true;": VARIABLES,
    "complex z = 2 + 3im;": VARIABLES,
    "complex[float[64]] z;": VARIABLES,
    "int n = 0; n += 1;": VARIABLES,
    **{
        f"k {operator} 1;": VARIABLES
        for operator in
        ("+=", "-=", "*=", "/=", "&=", "|=", "^=", "~=", "%=", "<<=", ">>=", "**=")
    },
    "k[0] += 2;": VARIABLES,
    "k = 2;": BITS,
    "c = 5;": BITS,
    "c[0] = c[1] ^ c[2];": BITS,
    'c = "011";': BITS,
    "array[int[32], 3] a = {1, 2, 3};": ARRAYS,
    "array[float, 2, 2] a;": ARRAYS,
    "duration d = 100ns;": TIMING,
    "stretch s;": TIMING,
    "delay[100ns] q[0];": TIMING,
    "delay[d];": TIMING,
    "box { h q[0]; }": TIMING,
    "box[1us] { h q[0]; }": TIMING,
    "cal { extern frame f; }": CALIBRATIONS,
    "defcal x $0 { play(f, w); }": CALIBRATIONS,
    "defcal measure $0 -> bit { return capture(f); }": CALIBRATIONS,
    'defcalgrammar "openpulse";': CALIBRATIONS,
    "pragma ibm.note yes": (qasm.UNSUPPORTED, "pragmas"),
    "#pragma ibm.note yes": (qasm.UNSUPPORTED, "pragmas"),
    "nop q[0];": (qasm.UNSUPPORTED, "'nop'"),
    "{ h q[0]; }": (qasm.UNSUPPORTED, "blocks"),
    "x $0;": (qasm.UNSUPPORTED, "physical qubits"),
    "c[0] = measure $0;": (qasm.UNSUPPORTED, "physical qubits"),
    "barrier $0, $1;": (qasm.UNSUPPORTED, "physical qubits"),
    "measure q[0];": (qasm.NOT_MEASURED, "assign"),
    'bit[3] d = "101";': (qasm.UNSUPPORTED, "bits cannot be given"),
    "bit d = c[0] & c[1];": (qasm.UNSUPPORTED, "bits cannot be given"),
    "const bool b = true;": CONSTANTS,
    "const duration d = 3ns;": CONSTANTS,
    "const complex z = 3im;": CONSTANTS,
    'const bit[2] b = "01";': CONSTANTS,
    "rx(100ns) q[0];": UNITS,
    "rx(2.5µs) q[0];": UNITS,
    "rx(3im) q[0];": UNITS,
    "rx(2dt) q[0];": UNITS,
    "x[100ns] q[0];": UNITS,
    "x[2] q[0];": (qasm.UNSUPPORTED, "durations"),
    "rx(pi)[100] q[0];": (qasm.UNSUPPORTED, "durations"),
    "rx(int(2.5)) q[0];": WITHIN,
    "rx(float[64](2)) q[0];": WITHIN,
    "rx(angle(c)) q[0];": WITHIN,
    "rx(complex(2)) q[0];": WITHIN,
    "rx(bit[2](1)) q[0];": WITHIN,
    "rx(true) q[0];": WITHIN,
    "rx(false) q[0];": WITHIN,
    "rx(pow(2, 3)) q[0];": WITHIN,
    "rx(durationof({ h q[0]; })) q[0];": WITHIN,
    "rx(measure q[0]) q[0];": WITHIN,
    "rx(c[0]) q[0];": WITHIN,
    'rx("01") q[0];': WITHIN,
    **{
        f"rx(3 {operator} 2) q[0];": (qasm.UNSUPPORTED, f"operator '{operator}'")
        for operator in
        ("%", "<<", ">>", "<", ">", "<=", ">=", "==", "!=", "&", "|", "^", "&&", "||")
    },
    "rx(~1) q[0];": (qasm.UNSUPPORTED, "operator '~'"),
    "rx(!1) q[0];": (qasm.UNSUPPORTED, "operator '!'"),
    "rx(popcount(c)) q[0];": (qasm.UNSUPPORTED, "is a register"),
    "rx(sizeof(a, #dim)) q[0];": ARRAYS,
    "h q[0, 1];": (qasm.UNSUPPORTED, "one index"),
    "gate g a { reset a; }": (qasm.RESET, "'reset'"),
    "gate g a { for int i in [0:1] { h a; } }": LOOPS,
    "gate g a { delay[10ns] a; }": TIMING,
}  # fmt: skip
# Keywords of what is read; and those that only stand within statements above.
READ = {
    "OPENQASM", "include", "gate", "let", "const", "qreg", "qubit", "creg", "bit", "gphase", "inv",
    "pow", "ctrl", "negctrl", "measure", "barrier",
}  # fmt: skip


def refusal(statement: str) -> CircuitError:
    with pytest.raises(CircuitError) as caught:
        read_qasm(HEAD + statement + TAIL)
    return caught.value


@pytest.mark.parametrize("statement", STATEMENTS)
def test_what_is_not_accepted_is_refused_by_name(statement):
    kind, words = STATEMENTS[statement]
    error = refusal(statement)
    assert (error.kind, error.line) == (kind, 5), str(error)
    assert words in str(error)


def test_every_keyword_is_read_or_tried_above():
    tried = {word for text in STATEMENTS for word in KEYWORDS if word in text}
    assert KEYWORDS - tried - READ == {"void"}  # of no statement in OpenQASM 3


def test_an_annotation_has_no_effect():
    assert read_qasm(HEAD + "@noise(3) off\nh q[0];" + TAIL) == read_qasm(HEAD + "h q[0];" + TAIL)


@pytest.mark.parametrize(
    "statement",
    ["f(2", "k +=;; 1", "k + = 1;", "for each edge;", "if c[0] { }", "end", "return a b;",
     "rx(0.5;", "h q[0] q[1];", "reset;", "rx(0.5);", "x();"],
)  # fmt: skip
def test_what_is_no_openqasm_stays_a_syntax_error(statement):
    assert refusal(statement).kind == qasm.SYNTAX


def test_a_syntax_error_behind_a_subroutine_is_put_down_to_it():
    error = refusal("h q[0];\ndef f(qubit a) { h a; }\nh q[0]\nx q[1];")
    assert (error.kind, error.line) == (qasm.UNSUPPORTED, 6)
