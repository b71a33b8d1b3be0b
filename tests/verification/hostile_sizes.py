"""Hostile programs that are large, deep or costly, as in `hostile_words`."""

from hostile_words import HEAD, HEADER, LONG, TAIL, VALID, body, chain

from quasar.circuits import qasm

NAMES = {
    "standard gate redefined": (body("gate h a { x a; } h q[0];"), qasm.SYNTAX),
    "U redefined": (body("gate U(a, b, c) q { }"), qasm.SYNTAX),
    "include after a gate of its name": (
        'OPENQASM 3.0; gate h a { } include "stdgates.inc"; qubit[3] q; bit[3] c; c = measure q;',
        qasm.SYNTAX,
    ),
    "constant with a gate's name": (body("const float h = 1;"), qasm.SYNTAX),
    "constant with a register's name": (body("const float q = 1;"), qasm.SYNTAX),
    "constant redefined": (body("const float a = 1; const float a = 2;"), qasm.SYNTAX),
    "constant of itself": (body("const float a = a;"), qasm.UNKNOWN_NAME),
    "pi shadowed": (body("const float pi = 3;"), qasm.SYNTAX),
    "parameter that shadows a constant": (
        body("const float r = 1; gate g(r) a { rx(r) a; } g(2) q[0];"),
        VALID,
    ),
    "parameter that shadows pi": (body("gate g(pi) a { rx(pi) a; } g(2) q[0];"), VALID),
    "parameter named as a qubit": (body("gate g(a) a { rx(a) a; }"), qasm.SYNTAX),
    "gate named as a keyword": (body("gate measure a { }"), qasm.SYNTAX),
    "register named as a gate": (HEADER + "qubit[3] h; bit[3] c; c = measure h;", qasm.SYNTAX),
    "very long identifier": (body(f"gate {'a' * LONG} b {{ h b; }}"), VALID),
    "very long unknown gate": (body("a" * LONG + " q[0];"), qasm.UNKNOWN_GATE),
    "very long unknown register": (body("h " + "a" * LONG + ";"), qasm.UNKNOWN_NAME),
    "very long unknown constant": (body("rx(" + "a" * LONG + ") q[0];"), qasm.UNKNOWN_NAME),
    "very long unknown function": (body("rx(" + "a" * LONG + "(1)) q[0];"), qasm.UNSUPPORTED),
    "very long repeated name": (
        body(f"gate {'a' * (LONG // 3)} b {{ }} gate {'a' * (LONG // 3)} b {{ }}"),
        qasm.SYNTAX,
    ),
    "very long recursive gate": (
        body(f"gate {'a' * (LONG // 3)} b {{ {'a' * (LONG // 3)} b; }}"),
        qasm.RECURSIVE_GATE,
    ),
    "very long constant": (
        body(f"const uint {'a' * LONG} = -1;"),
        qasm.UNSUPPORTED,
    ),
    "very long gate with wrong arguments": (
        body(f"gate {'a' * (LONG // 3)} b {{ }} {'a' * (LONG // 3)}(1) q[0];"),
        qasm.WRONG_ARGUMENTS,
    ),
    "very long index out of range": (
        HEADER + f"qubit {'a' * (LONG // 3)}; h {'a' * (LONG // 3)}[9];",
        qasm.UNSUPPORTED,
    ),
    "very long file": (body(f'include "{"a" * LONG}";'), qasm.BAD_INCLUDE),
    "thousands of gate definitions": (
        body("".join(f"gate g{i} a {{ h a; }}" for i in range(8_000))),
        VALID,
    ),
    "thousands of constants": (
        body("const int a0 = 1;" + "".join(f"const int a{i}=a{i - 1}+1;" for i in range(1, 6_000))),
        VALID,
    ),
    "thousands of gate parameters": (
        body(f"gate g({','.join(f't{i}' for i in range(20_000))}) a {{ }} "),
        VALID,
    ),
    "thousands of parameters in use": (
        body(
            f"gate g({','.join(f't{i}' for i in range(9_000))}) a "
            f"{{ rx({'+'.join(f't{i}' for i in range(9_000))}) a; }}"
        ),
        VALID,
    ),
    "a parameter behind thousands": (
        body(
            f"gate g({','.join(f't{i}' for i in range(9_000))},z) a {{ rx({'z+' * 60_000}z) a; }}"
        ),
        VALID,
    ),
    "a gate qubit behind thousands": (
        body(
            f"gate g {','.join(f't{i}' for i in range(9_000))},z "
            f"{{ {'barrier z;' * 12_000} rx({'1+' * 1_000}1) z; }}"
        ),
        VALID,
    ),
    "thousands of gate qubits": (
        body(
            f"gate g {','.join(f'a{i}' for i in range(8_000))} "
            f"{{ barrier {','.join(f'a{i}' for i in range(8_000))}; }}"
        ),
        VALID,
    ),
}
DEPTH = {
    "deep brackets": (body("rx(" + "(" * 90_000 + "1" + ")" * 90_000 + ") q[0];"), qasm.TOO_DEEP),
    "open brackets": (body("rx(" + "(" * LONG + "1) q[0];"), qasm.TOO_DEEP),
    "many signs": (body("rx(" + "-" * LONG + "1) q[0];"), qasm.TOO_DEEP),
    "tower of powers": (body("rx(" + "2**" * 60_000 + "2) q[0];"), qasm.TOO_DEEP),
    "low tower of powers": (body("rx(2**2**2**2**2**2) q[0];"), qasm.NON_FINITE_ANGLE),
    "tower in a constant": (body("const int a = 9**9**9**9;"), qasm.NON_FINITE_ANGLE),
    "squares of squares": (
        body(
            "const int a0 = 3;"
            + "".join(f"const int a{i}=a{i - 1}*a{i - 1};" for i in range(1, 64))
        ),
        qasm.NON_FINITE_ANGLE,
    ),
    "power of a power": (body("rx(9 ** 999999999) q[0];"), qasm.NON_FINITE_ANGLE),
    "negative power of zero": (body("rx(0 ** -1) q[0];"), qasm.NON_FINITE_ANGLE),
    "root of a negative number": (body("rx((-8.0) ** 0.5) q[0];"), qasm.NON_FINITE_ANGLE),
    "shift": (body("rx(1 << 1000000000) q[0];"), qasm.UNSUPPORTED),
    "factorial": (
        body("rx(" + "*".join(map(str, range(1, 20_000))) + ") q[0];"),
        qasm.NON_FINITE_ANGLE,
    ),
    "long sum": (body("rx(" + "1+" * 90_000 + "1) q[0];"), VALID),
    "long product": (body("rx(" + "1*" * 90_000 + "1) q[0];"), VALID),
    "long sum in many gates": (
        body(f"gate g(t) a {{ rx({'t+' * 1_000}t) a; }}" + "g(1) q;" * 1_000),
        qasm.TOO_MANY_GATES,
    ),
    "calls in calls": (
        body("rx(" + "sin(" * 35_000 + "1" + ")" * 35_000 + ") q[0];"),
        qasm.TOO_DEEP,
    ),
    "call with many numbers": (body("rx(sin(" + "1," * 90_000 + "1)) q[0];"), qasm.WRONG_ARGUMENTS),
    "exp of exp": (body("rx(exp(exp(exp(exp(2))))) q[0];"), qasm.NON_FINITE_ANGLE),
    "huge integer literal": (body("rx(" + "9" * LONG + ") q[0];"), qasm.NON_FINITE_ANGLE),
    "huge hexadecimal literal": (body("rx(0x" + "f" * LONG + ") q[0];"), qasm.NON_FINITE_ANGLE),
    "integer literal beyond a float": (body("rx(" + "9" * 400 + ") q[0];"), qasm.NON_FINITE_ANGLE),
    "huge float literal": (body("rx(" + "9" * LONG + ".0) q[0];"), qasm.NON_FINITE_ANGLE),
    "huge fraction": (body("rx(0." + "9" * LONG + ") q[0];"), VALID),
    "huge exponent": (body("rx(1e" + "9" * LONG + ") q[0];"), qasm.NON_FINITE_ANGLE),
    "huge negative exponent": (body("rx(1e-" + "9" * LONG + ") q[0];"), VALID),
    "huge angle": (body("rx(1e308) q[0];"), VALID),
    "huge index": (body("h q[" + "9" * 900 + "];"), qasm.INDEX_OUT_OF_RANGE),
    "huge register": (HEADER + f"qubit[{'9' * 900}] q;", qasm.TOO_MANY_QUBITS),
    "huge bit register": (HEADER + "bit[1073741824] c; qubit q;", qasm.TOO_MANY_BITS),
    "negative register": (HEADER + "qubit[-5] q;", qasm.UNSUPPORTED),
    "no qubits": (HEADER + "qubit[0] q;", qasm.UNSUPPORTED),
    "unclosed braces": (body("{" * 100_000), qasm.SYNTAX),
    "unclosed braces of a gate": (body("gate g a " + "{" * 100_000), qasm.SYNTAX),
    "unclosed index brackets": (body("h q" + "[" * 100_000), qasm.SYNTAX),
    "closing braces": (body("}" * 100_000), qasm.SYNTAX),
    "loops in loops": (
        body("for int i in [0:9] {" * 8_000 + "}" * 8_000),
        qasm.CONTROL_FLOW,
    ),
    "else after else": (body("if (true) { }" + "else { }" * 20_000), qasm.CONTROL_FLOW),
    "definitions in definitions": (body("gate g a {" * 15_000), qasm.UNSUPPORTED),
    "comment in a comment": (body("/* /* */ */ h q[0];"), qasm.SYNTAX),
    "comment in a line comment": (body("// /*\nh q[0]; // */"), VALID),
    "line comment in a comment": (body("/* // */ h q[0];"), VALID),
    "slash and star overlap": (body("/*/ h q[0]; /*/"), VALID),
    "comments only": (HEAD + "/**/" * 45_000 + TAIL, VALID),
    "header in a comment": ("// OPENQASM 3.0;\n" + HEADER, qasm.NO_QUBITS),
    "indices on indices": (body("h q" + "[0:2]" * 30_000 + ";"), VALID),
    "definitions in definitions, annotated": (body("@a\ngate g a {" * 10_000), qasm.UNSUPPORTED),
    "definitions nested deep": (body(chain(200, "g{0} a;")), qasm.TOO_DEEP),
}
SIZE = {
    "broadcast over all": (body("h q;" * 6_000), VALID),
    "broadcast beyond the gates": (body("h q;" * 7_000), qasm.TOO_MANY_GATES),
    "broadcast of registers": (
        HEADER + "qubit[10] a; qubit[10] b; bit[10] c;" + "cx a, b;" * 15_000,
        qasm.TOO_MANY_GATES,
    ),
    "broadcast of unequal registers": (
        HEADER + "qubit[10] a; qubit[9] b; cx a, b;",
        qasm.WRONG_ARGUMENTS,
    ),
    "register on itself": (body("cx q, q;"), qasm.REPEATED_QUBIT),
    "one qubit and its register": (body("cx q[0], q;"), qasm.REPEATED_QUBIT),
    "very many operands": (body("h " + "q[0]," * 36_000 + "q[0];"), qasm.WRONG_ARGUMENTS),
    "very many angles": (body("rx(" + "1," * 90_000 + "1) q[0];"), qasm.WRONG_ARGUMENTS),
    "very many empty statements": (HEAD + ";" * LONG, qasm.SYNTAX),
    "very many barriers": (body("barrier q;" * 19_000), VALID),
    "barrier over very many": (body("barrier " + "q," * 90_000 + "q;"), qasm.REPEATED_QUBIT),
    "very many registers": (
        HEADER + "".join(f"qubit q{i};" for i in range(12_000)),
        qasm.TOO_MANY_QUBITS,
    ),
    "choice of very many": (body("h q[{" + "0," * 90_000 + "0}];"), qasm.TOO_MANY_GATES),
    "choices on choices": (
        body("h q" + ("[{" + ",".join(["0"] * 300) + "}]") * 300 + ";"),
        VALID,
    ),
    "range of 1e18": (body("h q[0:1000000000000000000];"), qasm.INDEX_OUT_OF_RANGE),
    "range with a step of 1e18": (body("h q[0:1000000000000000000:2];"), VALID),
    "registers doubled": (body("let a = q ++ q; let b = a ++ a;"), qasm.REPEATED_QUBIT),
    "alias of very many": (body("let a = " + "q ++ " * 36_000 + "q;"), qasm.REPEATED_QUBIT),
    "aliases of aliases": (
        body("let a0 = q;" + "".join(f"let a{i}=a{i - 1}[0:2];" for i in range(1, 8_000))),
        VALID,
    ),
    "a million controls": (body("ctrl(10**6) @ x q[0], q[1];"), qasm.UNSUPPORTED),
    "1e18 controls": (body("ctrl(10**18) @ x q[0], q[1];"), qasm.UNSUPPORTED),
    "negative controls": (body("ctrl(-1) @ x q[0];"), qasm.UNSUPPORTED),
    "tower of controls": (body("ctrl @ " * 25_000 + "x q[0], q[1];"), qasm.UNSUPPORTED),
    "tower of inv": (body("inv @ " * 30_000 + "h q[0];"), qasm.UNSUPPORTED),
    "tower of pow": (body("pow(2) @ " * 20_000 + "h q[0];"), qasm.UNSUPPORTED),
    "rotation to the power of 1e9": (body("pow(1e9) @ rx(0.1) q[0];"), VALID),
    "swap to the power of 1e9": (body("pow(1e9) @ swap q[0], q[1];"), qasm.UNSUPPORTED),
    "powers that multiply up": (
        body("pow(5e3 + 0.1) @ pow(5e3 + 0.1) @ ccx q[0], q[1], q[2];"),
        qasm.UNSUPPORTED,
    ),
    "largest power": (body("pow(1e4) @ swap q[0], q[1]; pow(-9999.9) @ h q[0];"), VALID),
    "largest power of a long definition": (
        body("gate g a { " + "U(1,2,3) a; " * 1_900 + "} pow(1e4) @ g q[0];"),
        VALID,
    ),
    "rotation to the power of 1e308": (body("pow(1e308) @ rx(100) q[0];"), qasm.NON_FINITE_ANGLE),
    "power to infinity": (body("pow(1e999) @ h q[0];"), qasm.NON_FINITE_ANGLE),
    "powers of powers": (
        body("pow(16) @ pow(16) @ pow(16) @ pow(16) @ h q[0];"),
        qasm.TOO_MANY_GATES,
    ),
    "powers of a definition": (
        body("gate g a { " + "h a; " * 1_000 + "} " + "pow(16) @ " * 4 + "g q[0];"),
        qasm.TOO_MANY_GATES,
    ),
    "inverse powers of a definition": (
        body("gate g a { " + "h a; " * 1_000 + "} " + "pow(-16) @ " * 4 + "g q[0];"),
        qasm.TOO_MANY_GATES,
    ),
    "powers of powers with a control": (
        body("pow(16) @ pow(16) @ ctrl @ h q[0], q[1];"),
        VALID,
    ),
    "fractional powers of powers": (
        body("pow(0.3) @ pow(0.7) @ pow(0.9) @ ccx q[0], q[1], q[2];"),
        VALID,
    ),
    "controls on different gates": (
        HEADER
        + "qubit[8] q; bit[8] c;"
        + "".join(
            f"ctrl(6) @ cu({i},1,1,1) q[0],q[1],q[2],q[3],q[4],q[5],q[6],q[7];"
            for i in range(2_000)
        )
        + "c = measure q;",
        qasm.TOO_MANY_GATES,
    ),
    "controls on gates of three qubits": (
        HEADER
        + "qubit[9] q; bit[9] c; gate g a, b, d { "
        + "cswap a, b, d; " * 1_900
        + "}"
        + "ctrl(6) @ g q[0],q[1],q[2],q[3],q[4],q[5],q[6],q[7],q[8]; c = measure q;",
        qasm.TOO_MANY_GATES,
    ),
    "control on a long definition": (
        body("gate g(r) a { " + "U(r,1,1) a;" * 900 + "} ctrl @ g(0.5) q[0],q[1];"),
        VALID,
    ),
    "controls on a long definition": (
        HEADER
        + "qubit[8] q; bit[8] c; gate g a, b { "
        + "cx a, b; h a; " * 900
        + "}"
        + "ctrl(6) @ g q[0],q[1],q[2],q[3],q[4],q[5],q[6],q[7]; c = measure q;",
        qasm.TOO_MANY_GATES,
    ),
    "many fractional powers": (
        body("".join(f"pow({0.001 * i:.3f}) @ ccx q[0],q[1],q[2];" for i in range(1, 4_000))),
        qasm.TOO_MANY_GATES,
    ),
    "many modified gates": (
        body("".join(f"ctrl @ rx({i}) q[0],q[1];" for i in range(5_000))),
        qasm.TOO_MANY_GATES,
    ),
    "modified gates, the same again and again": (
        body("ctrl @ h q[0],q[1];" * 9_000),
        VALID,
    ),
    "modifiers in definitions that double": (
        body(chain(20, "pow(2) @ g{0} a;")),
        qasm.TOO_MANY_GATES,
    ),
    "20 qubits for a problem of 3": (
        HEADER + "qubit[20] q; bit[20] c;" + "h q;" * 10 + "c = measure q;",
        qasm.WRONG_QUBIT_COUNT,
    ),
    "all gates that are allowed": (body("rx(0.1) q[0];cx q[0],q[1];" * 7_000), VALID),
}
