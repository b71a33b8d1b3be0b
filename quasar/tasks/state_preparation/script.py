"""The scripted answer to a state: its construction line by line, and what a line takes from the
prompt restated before it.

    // of a0:0.42 b0:-1.3
    ry(0.42) q[0];
    rz(-1.3) q[0];
    // of q0-q2
    cz q[0], q[2];

Nothing of the construction is given: which line comes next, its wires and its angles are choices,
and what is restated is, too. Header, registers and measurements are forced. A number stands behind
a name that no other number has, and an edge is one name, so that what follows in the prompt is
found by the name before it.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations

from quasar.circuits.circuit import Circuit, Gate
from quasar.tasks.programs import program
from quasar.tasks.writing import Piece, Script, Step, angle_text, angle_texts

Steps = Sequence[tuple[str, Sequence[Gate]]]  # what is restated ("": nothing), and its gates
_OF = "// of"
_SINGLE = ("h", "x", "y", "z", "s", "sdg")
_PAIRS = ("cx", "cz")
_TURNS = ("ry", "rz")
_CONTROLLED = "cry"


def state_script(num_qubits: int, names: Sequence[str], *, decimals: int) -> Script:
    """names: of states of one qubit, which a line may restate."""
    wires, angles = range(num_qubits), angle_texts(decimals)
    text, end, measured = _frame(num_qubits)
    lines = (*_lines(num_qubits), end)
    for _ in range(_most_lines(num_qubits)):
        line = yield Step(text, lines)
        text = ""
        if line == end:
            break
        if line == _OF:
            qubits, first = [f" q{q}" for q in wires], [f" a{q}:" for q in wires]
            edges = [edge_text(a, b) for a, b in combinations(wires, 2)]
            of = yield Step("", (*qubits, *first, *edges))
            if of in first:
                yield Step("", angles)
                yield Step(f" b{of[2:]}", angles)
            elif of in qubits:
                yield Step("", tuple(f" |{name}>" for name in names))
            text = "\n"
        elif line == f"{_CONTROLLED}(":
            yield Step("", angles)
            a = yield Step("", tuple(f") q[{q}]" for q in wires))
            yield Step("", tuple(f", q[{q}];\n" for q in wires if f") q[{q}]" != a))
        elif line.endswith("("):
            yield Step("", angles)
            yield Step("", tuple(f") q[{q}];\n" for q in wires))
    else:
        text += end
    yield Step(text + measured, ())


def state_text(num_qubits: int, steps: Steps, *, decimals: int) -> str | None:
    """The script's text of a construction; None where it has a gate that the script has not."""
    text, end, measured = _frame(num_qubits)
    for restated, gates in steps:
        text += f"{_OF}{restated}\n" if restated else ""
        for gate in gates:
            wires = ", ".join(f"q[{q}]" for q in gate.qubits)
            if not gate.params and gate.name in (*_SINGLE, *_PAIRS):
                text += f"{gate.name} {wires};\n"
            elif gate.name in (*_TURNS, _CONTROLLED):
                text += f"{gate.name}({angle_text(gate.params[0], decimals)}) {wires};\n"
            else:
                return None
    return text + end + measured


def edge_text(a: int, b: int) -> str:
    """An edge, in prompts and restated."""
    return f" q{min(a, b)}-q{max(a, b)}"


def turns_text(qubit: int, a: str, b: str) -> str:
    """The two angles of a qubit, in prompts and restated."""
    return f" a{qubit}:{a} b{qubit}:{b}"


def state_pieces(max_qubits: int) -> Iterator[Piece]:
    """Of programs, beside plain gates."""
    yield Piece(_OF)
    yield Piece(f"{_CONTROLLED}(", ("rotation", f"gate {_CONTROLLED}"))
    for q in range(max_qubits):
        yield Piece(f" q{q}", ("factor", f"q {q}"))
        yield Piece(f" a{q}:", ("angle a", f"q {q}"))
        yield Piece(f" b{q}:", ("angle b", f"q {q}"))
        yield Piece(f") q[{q}]", ("first wire", f"q {q}"))
        yield Piece(f", q[{q}];\n", ("last wire", f"q {q}"))
    for a, b in combinations(range(max_qubits), 2):
        # features as those of its gate
        yield Piece(edge_text(a, b), ("edge", f"control {a}", f"target {b}"))


def _lines(num_qubits: int) -> tuple[str, ...]:
    """What a line but the last begins with, or all of it."""
    wires = range(num_qubits)
    single = [f"{gate} q[{q}];\n" for gate in _SINGLE for q in wires]
    pairs = [f"{gate} q[{a}], q[{b}];\n" for gate in _PAIRS for a, b in permutations(wires, 2)]
    turns = [f"{gate}(" for gate in _TURNS]
    controlled = [f"{_CONTROLLED}("] if num_qubits > 1 else []
    return (_OF, *single, *pairs, *turns, *controlled)


def _most_lines(num_qubits: int) -> int:
    """About twice what any construction needs."""
    return 8 * num_qubits**2 + (8 << num_qubits)


def _frame(num_qubits: int) -> tuple[str, str, str]:
    """What stands before the gates, the line that ends them, and what follows it."""
    text = program(Circuit(num_qubits, ()))
    before, first, behind = text.partition("c[0] = measure q[0];")
    newline = "\n" if behind else ""
    return before, first + newline, behind.removeprefix("\n")
