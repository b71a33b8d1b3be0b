"""Complete reader for OpenQASM 3: syntax tree, checks on the tree, conversion, flattening.

Takes program text within the size limit; gives the `Circuit`. The tree (openqasm3) is checked
before anything is expanded, because the text is hostile until shown otherwise: only gates, gate
definitions, declarations of literal size, aliases, barriers and measurements pass. What passes is
converted statement by statement (qiskit-qasm3-import) and flattened to standard gates.
"""

import re
import warnings
from typing import Any

from antlr4 import CommonTokenStream, InputStream
from antlr4.error.ErrorListener import ErrorListener
from antlr4.error.Errors import ParseCancellationException, RecognitionException
from antlr4.error.ErrorStrategy import BailErrorStrategy
from openqasm3 import ast
from openqasm3._antlr.qasm3Lexer import qasm3Lexer
from openqasm3._antlr.qasm3Parser import qasm3Parser
from openqasm3.parser import QASM3ParsingError, QASMNodeVisitor
from qiskit.circuit import CircuitError as QiskitCircuitError
from qiskit.circuit.library import IGate
from qiskit_qasm3_import.converter import ConvertVisitor
from qiskit_qasm3_import.exceptions import ConversionError
from qiskit_qasm3_import.state import State

from quasar.circuits.circuit import STANDARD_GATES, Circuit
from quasar.circuits.rules import (
    BAD_INCLUDE,
    INDEX_OUT_OF_RANGE,
    MISSING_HEADER,
    NON_FINITE_ANGLE,
    REPEATED_QUBIT,
    SYNTAX,
    TOO_DEEP,
    TOO_LONG,
    TOO_MANY_GATES,
    UNKNOWN_NAME,
    UNSUPPORTED,
    Assembler,
    Limits,
    at_line,
    refuse,
)
from quasar.circuits.tree import TreeCheck
from quasar.errors import CircuitError

MAX_TOKENS = 25_000  # the grammar-driven parser takes about 50 µs a token
MAX_STATEMENT_TOKENS = 1_000  # the parser looks ahead over a whole expression at each operator
MAX_NESTING = 64  # brackets within brackets
_TOKEN = re.compile(
    r'(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<open>/\*)|"[^"\n]*"|[\w.]+|[^\w\s]', re.DOTALL
)
# Names that the converter gives to gates of the standard library, where they differ.
_QISKIT_NAMES = {"u": "U"}
_STANDARD_MODULE = "qiskit.circuit.library.standard_gates"


def read_complete(text: str, limits: Limits, *, strict: bool = True) -> Circuit:
    """Read any program that stands for a circuit; raises CircuitError for all others.

    strict=False reads as the published system does: measurements, version and include are not
    required; the limits still hold.
    """
    _scan(text, limits)
    try:
        return _Conversion(limits, strict).read(_parse(text))
    except RecursionError:
        raise CircuitError(TOO_DEEP, "an expression is nested too deeply to be read") from None


def _scan(text: str, limits: Limits) -> None:
    """Bound what the parser will be given: tokens, statements, nesting, open comments."""
    depth = tokens = statements = ended = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if match["comment"]:
            continue
        if match["open"]:
            error = CircuitError(SYNTAX, "a comment '/*' is never closed")
            raise at_line(error, text.count("\n", 0, match.start()) + 1)
        tokens += 1
        if token in "([{":
            depth += 1
        elif token in ")]}":
            depth -= 1
        elif token == ";":
            statements += 1
            ended = tokens
        if depth > MAX_NESTING:
            refuse(TOO_DEEP, f"brackets are nested more than {MAX_NESTING} deep")
        if statements > limits.max_statements:
            refuse(TOO_MANY_GATES, f"more than {limits.max_gates} gates")
        if tokens - ended > MAX_STATEMENT_TOKENS:
            refuse(TOO_LONG, f"a statement has more than {MAX_STATEMENT_TOKENS} tokens")
        if tokens > MAX_TOKENS:
            refuse(
                TOO_LONG,
                f"more than {MAX_TOKENS} tokens in a program that is not plain; "
                "use one register, literal angles and no gate definitions, or shorten it",
            )


class _LexerErrors(ErrorListener):
    def syntaxError(self, recognizer, offendingSymbol, line, column, msg, e):
        raise at_line(CircuitError(SYNTAX, f"not valid OpenQASM 3: {msg}"), line, column + 1)


def _parse(text: str) -> ast.Program:
    """As `openqasm3.parse`, but silent, and with the position of an error."""
    lexer = qasm3Lexer(InputStream(text))
    lexer.removeErrorListeners()
    lexer.addErrorListener(_LexerErrors())
    parser = qasm3Parser(CommonTokenStream(lexer))
    parser.removeErrorListeners()
    parser._errHandler = BailErrorStrategy()
    try:
        return QASMNodeVisitor().visitProgram(parser.program())
    except (RecognitionException, ParseCancellationException) as error:
        raise _unexpected_token(error) from None
    except QASM3ParsingError as error:
        raise _tree_error(error) from None
    except (ValueError, AttributeError, TypeError, IndexError, KeyError) as error:
        # The tree builder trusts its input in places.
        raise CircuitError(SYNTAX, f"not a valid OpenQASM 3 program ({error})") from None


def _unexpected_token(error: Exception) -> CircuitError:
    cause = error.args[0] if isinstance(error, ParseCancellationException) else error
    token = getattr(cause, "offendingToken", None)
    if token is None:
        return CircuitError(SYNTAX, "not valid OpenQASM 3")
    found = "the end of the program" if token.type == -1 else f"'{token.text}'"
    plain = CircuitError(SYNTAX, f"not valid OpenQASM 3: unexpected {found}")
    return at_line(plain, token.line, token.column + 1)


def _tree_error(error: QASM3ParsingError) -> CircuitError:
    where = re.match(r"L(\d+):C(\d+): (.*)", str(error), re.DOTALL)
    if where is None:
        return CircuitError(SYNTAX, f"not valid OpenQASM 3: {error}")
    plain = CircuitError(SYNTAX, f"not valid OpenQASM 3: {where[3]}")
    return at_line(plain, int(where[1]), int(where[2]) + 1)


class _Converter(ConvertVisitor):
    """The converter with an identity gate that keeps its name."""

    def visit_Include(self, node: ast.Include, context: State) -> State:
        context = super().visit_Include(node, context)
        context.symbol_table.get("id", node).data = IGate
        return context


class _Conversion:
    """One program on its way from tree to circuit."""

    def __init__(self, limits: Limits, strict: bool):
        self._strict = strict
        self._check = TreeCheck(limits)
        self._assembler = Assembler(limits, strict=strict)
        self._converter = _Converter()
        self._state = State(None)

    def read(self, program: ast.Program) -> Circuit:
        if self._strict:
            _check_version(program)
        for statement in program.statements:
            try:
                self._check.statement(statement, room_from=len(self._assembler.gates))
                self._convert(statement)
            except CircuitError as error:
                raise _placed(error, statement) from None
        if self._strict and not self._check.included:
            refuse(BAD_INCLUDE, "write 'include \"stdgates.inc\";' after the header")
        return self._assembler.finish(self._state.circuit.num_qubits)

    def _convert(self, statement: ast.Statement) -> None:
        circuit = self._state.circuit
        before = len(circuit.data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._state = self._converter.visit(statement, self._state)
                circuit = self._state.circuit
                for k in range(before, len(circuit.data)):
                    self._collect(circuit, circuit.data[k])
        except ConversionError as error:
            message = re.sub(r"^\d+,\d+: ", "", error.message)
            unknown = message.startswith("Undefined symbol")
            refuse(UNKNOWN_NAME if unknown else UNSUPPORTED, message)
        except IndexError:
            refuse(INDEX_OUT_OF_RANGE, "an index is outside its register")
        except QiskitCircuitError as error:
            message = str(error).strip("'\"")
            refuse(REPEATED_QUBIT if "duplicate" in message else UNSUPPORTED, message)
        except (ZeroDivisionError, OverflowError):
            refuse(NON_FINITE_ANGLE, "an angle is not a finite number")
        except (TypeError, ValueError) as error:
            refuse(UNSUPPORTED, f"this statement is not understood ({error})")

    def _collect(self, circuit: Any, instruction: Any) -> None:
        qubits = tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)
        name = instruction.operation.name
        if name == "measure":
            self._assembler.measure(qubits[0], circuit.find_bit(instruction.clbits[0]).index)
        elif name != "barrier":
            self._flatten(instruction.operation, qubits)

    def _flatten(self, operation: Any, qubits: tuple[int, ...]) -> None:
        """Append an operation as standard gates; its definition is followed where it is none."""
        name = _QISKIT_NAMES.get(operation.name, operation.name)
        arity = (len(operation.params), len(qubits))
        # A gate of the user's may bear a standard name only in programs without the include.
        standard = operation.base_class.__module__.startswith(_STANDARD_MODULE)
        if standard and STANDARD_GATES.get(name) == arity:
            self._assembler.gate(name, qubits, tuple(float(p) for p in operation.params))
            return
        definition = operation.definition
        if definition is None:
            refuse(UNSUPPORTED, f"operation '{operation.name}' cannot be simulated")
        for inner in definition.data:
            if inner.operation.name != "barrier":
                places = tuple(qubits[definition.find_bit(q).index] for q in inner.qubits)
                self._flatten(inner.operation, places)


def _check_version(program: ast.Program) -> None:
    if program.version is None:
        refuse(MISSING_HEADER, "the program must start with 'OPENQASM 3.0;'")
    if program.version.split(".")[0] != "3":
        raise CircuitError(
            MISSING_HEADER, f"version {program.version} is not read; write 'OPENQASM 3.0;'", 1
        )


def _placed(error: CircuitError, statement: ast.Statement) -> CircuitError:
    span = statement.span
    return error if span is None else at_line(error, span.start_line, span.start_column + 1)
