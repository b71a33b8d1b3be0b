"""Random OpenQASM 3 programs that stand for circuits: what the fuzzer and the tests read.

`write_program` takes a source of chance (a seeded `random.Random`, or hypothesis's) and gives a
`Program`: gate definitions, constants, expressions, several registers, aliases, broadcasting,
modifiers, every form of measurement. Each program is written twice; `plain` has numbers in place
of what qiskit-qasm3-import does not read (constants, functions, powers).
"""

import math
import re
from dataclasses import dataclass
from random import Random

from quasar.circuits.circuit import STANDARD_GATES

MAX_QUBITS = 4
_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "**": 4}
_ATOM = 5
_LARGEST = 50.0  # of a value on the way
_SMALLEST = 1e-6  # of a divisor
_WORDS = {"pi": math.pi, "tau": math.tau, "euler": math.e, "π": math.pi, "τ": math.tau}
_FUNCTIONS = {"sin": math.sin, "cos": math.cos, "arctan": math.atan, "floor": math.floor}
_INTEGERS = ("0", "1", "2", "3", "7", "0x1F", "0b101", "1_0", "00")
_FLOATS = ("0.5", ".25", "1.", "2e-1", "1.5E0", "3.14159", "0.0", "1_0.5")
_BLANKS = (" ", "\n", "  ", "\t", " // a note\n", " /* a; note */ ", "\r\n")


@dataclass(frozen=True, slots=True)
class Program:
    """A program, and the same one for a reader that knows no constants."""

    text: str
    plain: str
    num_qubits: int


@dataclass(frozen=True, slots=True)
class Expression:
    """An operator's name or "atom", what it stands between, and the value."""

    operator: str
    parts: tuple["Expression | str", ...]
    value: int | float
    literal: bool = True  # an atom that any reader knows

    def text(self, needed: int = 0, *, plain: bool = False) -> str:
        """In brackets where it binds weaker than is needed; plain: without what is beyond it."""
        if plain and (self.operator in ("**", "call") or not self.literal):
            text = repr(self.value)
            return f"({text})" if self.value < 0 and needed > 1 else text
        if self.operator == "atom":
            return self.parts[0]
        if self.operator == "call":
            return f"{self.parts[0]}({self.parts[1].text()})"
        strength = _STRENGTH[self.operator]
        if self.operator == "neg":
            text = "-" + self.parts[0].text(strength + 1, plain=plain)
        else:
            right = self.operator == "**"
            text = (
                self.parts[0].text(strength + right, plain=plain)
                + self.operator
                + self.parts[1].text(strength + (not right), plain=plain)
            )
        return f"({text})" if strength < needed else text


@dataclass(frozen=True, slots=True)
class _Operand:
    text: str
    places: tuple[int, ...]
    single: bool


@dataclass(frozen=True, slots=True)
class _Gate:
    name: str
    num_parameters: int
    num_qubits: int
    steps: int  # standard gates within it


_STANDARD = tuple(_Gate(n, p, q, 1) for n, (p, q) in STANDARD_GATES.items())


def write_program(random: Random) -> Program:
    """A program that is valid by construction, on at most `MAX_QUBITS` qubits."""
    return _Writer(random).program()


class _Writer:
    def __init__(self, random: Random):
        self.random = random
        self.ours: list[str] = []
        self.plain: list[str] = []
        self.constants: list[Expression] = []
        self.gates: list[_Gate] = []
        self.registers: list[_Operand] = []  # and aliases

    def add(self, text: str, plain: str | None = None) -> None:
        """A statement, or for one of the two forms only ("")."""
        self.ours.append(text)
        self.plain.append(text if plain is None else plain)

    def program(self) -> Program:
        some, random = self.random.randint, self.random
        self.add(random.choice(("OPENQASM 3.0;", "OPENQASM 3;", "OPENQASM  3.1 ;")))
        self.add('include "stdgates.inc";')
        for number in range(some(0, 2)):
            self.constant(f"k{number}")
        for number in range(some(0, 3)):
            self.definition(f"g{number}")
        total = self.declarations()
        for number in range(some(0, 1)):
            self.alias(f"a{number}", total)
        for _ in range(some(0, 8)):
            self.statement()
        self.measurements(total)
        blanks = [self.blank() for _ in self.ours]
        ours = "".join(a + b for a, b in zip(self.ours, blanks, strict=True))
        plain = "".join(a + b for a, b in zip(self.plain, blanks, strict=True))
        return Program(ours, plain, total)

    def blank(self) -> str:
        return self.random.choice(_BLANKS) if self.random.random() < 0.3 else "\n"

    def constant(self, name: str) -> None:
        whole = self.random.random() < 0.5
        value = self.expression(2, whole=whole)
        kind = self.random.choice(("int", "int[32]") if whole else ("float", "float[64]", "angle"))
        self.add(f"const {kind} {name} = {value.text()};", "")
        number = value.value if whole else float(value.value)
        self.constants.append(Expression("atom", (name,), number, literal=False))

    def expression(self, depth: int, *, whole: bool = False) -> Expression:
        """A number, or an expression of numbers; whole: of integers only."""
        kind = self.random.random()
        if depth == 0 or kind < 0.35:
            return self.atom(whole=whole)
        left = self.expression(depth - 1, whole=whole)
        if kind < 0.5:
            return Expression("neg", (left,), -left.value)
        if kind < 0.57 and not whole:
            name = self.random.choice(sorted(_FUNCTIONS))
            return Expression("call", (name, left), _FUNCTIONS[name](left.value))
        right = self.expression(depth - 1, whole=whole)
        operator = self.random.choice("+-*/") if kind < 0.95 else "**"
        value = _result(operator, left.value, right.value)
        return left if value is None else Expression(operator, (left, right), value)

    def atom(self, *, whole: bool) -> Expression:
        known = [c for c in self.constants if not whole or isinstance(c.value, int)]
        if known and self.random.random() < 0.3:
            return self.random.choice(known)
        if whole or self.random.random() < 0.3:
            text = self.random.choice(_INTEGERS)
            return Expression("atom", (text,), int(text, 0))
        if self.random.random() < 0.4:
            text = self.random.choice(sorted(_WORDS))
            return Expression("atom", (text,), _WORDS[text])
        text = self.random.choice(_FLOATS)
        return Expression("atom", (text,), float(text))

    def angles(self, gate: _Gate) -> tuple[str, str]:
        """In brackets, in both forms; nothing for a gate without angles."""
        if gate.num_parameters == 0:
            return "", ""
        found = [self.expression(3) for _ in range(gate.num_parameters)]
        return (
            "(" + ", ".join(e.text() for e in found) + ")",
            "(" + ", ".join(e.text(plain=True) for e in found) + ")",
        )

    def definition(self, name: str) -> None:
        random = self.random
        parameters = [f"x{i}" for i in range(random.randint(0, 2))]
        qubits = [f"w{i}" for i in range(random.randint(1, 3))]
        body, plain, steps = [], [], 0
        for _ in range(random.randint(0, 4)):
            gate = random.choice(
                [g for g in self.gates + list(_STANDARD) if g.num_qubits <= len(qubits)]
            )
            if steps + gate.steps > 12:
                continue
            steps += gate.steps
            on = ", ".join(random.sample(qubits, gate.num_qubits))
            before = random.choice(("", "", "", "inv @ ", "pow(2) @ "))
            if parameters and gate.num_parameters:
                # The reference takes no power of a gate whose angles are not known yet.
                before = before.replace("pow(2) @ ", "")
                found = [self.in_terms_of(parameters) for _ in range(gate.num_parameters)]
                ours, other = ("(" + ", ".join(texts) + ")" for texts in zip(*found, strict=True))
            else:
                ours, other = self.angles(gate)
            body.append(f"{before}{gate.name}{ours} {on};")
            plain.append(f"{before}{gate.name}{other} {on};")
        if random.random() < 0.2:
            phase = self.expression(1)
            body.append(f"gphase({phase.text()});")
            plain.append(f"gphase({phase.text(plain=True)});")
        head = f"gate {name}" + (f"({', '.join(parameters)})" if parameters else "")
        head += " " + ", ".join(qubits)
        # Qiskit mistakes parameters of one name in two definitions for each other.
        other = re.sub(r"\bx(\d)", rf"{name}x\1", f"{head} {{ {' '.join(plain)} }}")
        self.add(f"{head} {{ {' '.join(body)} }}", other)
        self.gates.append(_Gate(name, len(parameters), len(qubits), max(1, steps)))

    def in_terms_of(self, parameters: list[str]) -> tuple[str, str]:
        name, number = self.random.choice(parameters), self.expression(1)
        form = self.random.choice(("{0}", "-{0}", "{1}*{0}", "{0}/{1}", "{0}+{1}", "-({0}-{1})"))
        if "+" in form or "-{1}" in form or ")" in form:  # no angle and integer, in the plain form
            number = Expression("atom", (self.random.choice(_FLOATS),), 1.0)
        if abs(number.value) < _SMALLEST:  # Qiskit takes no 0*x
            form = "{0}"
        return tuple(form.format(name, number.text(3, plain=plain)) for plain in (False, True))

    def declarations(self) -> int:
        total = 0
        for name in ("q", "r")[: self.random.randint(1, 2)]:
            size = self.random.randint(1, MAX_QUBITS // 2 if name == "r" else MAX_QUBITS - 2)
            places = tuple(range(total, total + size))
            if size == 1 and self.random.random() < 0.5:
                self.add(f"qubit {name};")
                self.registers.append(_Operand(name, places, True))
            else:
                old = self.random.random() < 0.1
                self.add(f"qreg {name}[{size}];" if old else f"qubit[{size}] {name};")
                self.registers.append(_Operand(name, places, False))
            total += size
        return total

    def alias(self, name: str, total: int) -> None:
        parts = [r for r in self.registers if not r.single]
        if parts and total > 1:
            places = tuple(p for part in parts for p in part.places)
            self.add(f"let {name} = {' ++ '.join(part.text for part in parts)};")
            self.registers.append(_Operand(name, places, False))

    def operand(self) -> _Operand:
        register, random = self.random.choice(self.registers), self.random
        if register.single:
            return register
        size, kind = len(register.places), random.random()
        if kind < 0.6:
            at = random.randrange(size)
            index = at - size if random.random() < 0.2 else at
            return _Operand(f"{register.text}[{index}]", (register.places[at],), True)
        if kind < 0.8:
            return register
        first = random.randrange(size)
        if kind < 0.9:
            last = random.randint(first, size - 1)
            places = register.places[first : last + 1]
            return _Operand(f"{register.text}[{first}:{last}]", places, False)
        chosen = random.sample(range(size), random.randint(1, size))
        text = f"{register.text}[{{{', '.join(map(str, chosen))}}}]"
        return _Operand(text, tuple(register.places[i] for i in chosen), False)

    def operands(self, number: int) -> list[_Operand] | None:
        """That many which a gate can take together; None where chance finds none."""
        for _ in range(8):
            found = [self.operand() for _ in range(number)]
            sizes = {len(o.places) for o in found if not o.single}
            if len(sizes) > 1:
                continue
            length = max(sizes, default=1)
            columns = [o.places * (length if o.single else 1) for o in found]
            if all(len(set(row)) == number for row in zip(*columns, strict=True)):
                return found
        return None

    def statement(self) -> None:
        random = self.random
        kind = random.random()
        if kind < 0.05:
            return self.add(f"barrier {self.operand().text};")
        if kind < 0.1:
            phase = self.expression(2)
            return self.add(f"gphase({phase.text()});", f"gphase({phase.text(plain=True)});")
        gate = random.choice(self.gates if self.gates and random.random() < 0.5 else _STANDARD)
        modifiers, controls = self.modifiers() if random.random() < 0.2 else ("", 0)
        operands = self.operands(gate.num_qubits + controls)
        if operands is not None:
            ours, plain = self.angles(gate)
            on = ", ".join(o.text for o in operands) + ("," if random.random() < 0.03 else "")
            self.add(f"{modifiers}{gate.name}{ours} {on};", f"{modifiers}{gate.name}{plain} {on};")
        return None

    def modifiers(self) -> tuple[str, int]:
        text, controls = "", 0
        for _ in range(self.random.randint(1, 2)):
            kind = self.random.choice(("inv", "ctrl", "negctrl", "ctrl(1)", "pow(2)", "pow(-1)"))
            controls += "ctrl" in kind
            text += f"{kind} @ "
        return text, controls

    def measurements(self, total: int) -> None:
        registers = [r for r in self.registers if not r.text.startswith("a")]
        random = self.random
        if len(registers) == 1 and not registers[0].single and random.random() < 0.6:
            if random.random() < 0.2:
                return self.add(f"bit[{total}] c = measure {registers[0].text};")
            self.add(f"bit[{total}] c;")
            return self.add(f"c = measure {registers[0].text};")
        self.add(f"creg c[{total}];" if random.random() < 0.1 else f"bit[{total}] c;")
        bits = random.sample(range(total), total)
        for register in registers:
            for i, place in enumerate(register.places):
                qubit = register.text if register.single else f"{register.text}[{i}]"
                arrow = random.random() < 0.15
                bit = f"c[{bits[place]}]"
                self.add(f"measure {qubit} -> {bit};" if arrow else f"{bit} = measure {qubit};")
        return None


def _result(operator: str, left: int | float, right: int | float) -> int | float | None:
    """The value; None where there is none, or a large one."""
    whole = isinstance(left, int) and isinstance(right, int)
    if operator == "/":
        if abs(right) < _SMALLEST:
            return None
        value = left // right if whole else left / right
    elif operator == "**":
        if not whole or right < 0 or right > 5:
            return None
        value = left**right
    else:
        value = {"+": left + right, "-": left - right, "*": left * right}[operator]
    return value if abs(value) <= _LARGEST else None
