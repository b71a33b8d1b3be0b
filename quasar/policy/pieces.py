"""The pieces of text that are one token each in the small policy's tokenizer, and what they share.

Takes the largest number of qubits and the style of prompts and programs; gives pieces in a fixed
order. A piece names its features (a qubit, a bit, a kind of statement, a number of qubits): pieces
with a feature in common start with a part of their embeddings in common, so that what is learned of
qubit 3 in one place carries over to the others.
"""

from collections.abc import Iterator
from itertools import permutations, takewhile

import numpy as np

from quasar.circuits.ansatz import ansatz_names, get_ansatz
from quasar.circuits.ansatz.base import Ansatz
from quasar.circuits.canonical import HEADER, MEASURE_ALL, gate_program
from quasar.circuits.term_gates import definition
from quasar.datasets import compact, plan
from quasar.datasets.generation.forms import MAX_LAYERS
from quasar.datasets.solver.closed_form import setters
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.tasks.writing import Piece, number_texts

_LARGEST_ORDER = 6  # of a term with a gate definition of its own piece
_LARGEST_NUMBER = 3.15  # just over π


def number_pieces() -> Iterator[Piece]:
    """Angles, coefficients and fields: hundredths to just over π, thousandths below 0.1, each as it
    stands and behind a blank.
    """
    for text in number_texts(decimals=3):
        yield Piece(text)
        yield Piece(f" {text}")
    for whole in range(-int(_LARGEST_NUMBER), int(_LARGEST_NUMBER) + 1):
        yield Piece(f"{whole}.0")  # of a `const float`


def constant(kind: str, layer: int) -> str:
    """The head of the definition of a γ ("g") or β ("b"), layers counted from 1."""
    return f"const float {kind}{layer} = "


def compact_pieces(*, max_qubits: int) -> Iterator[Piece]:
    """Of compact prompts."""
    for n in range(1, max_qubits + 1):
        yield Piece(f"{compact.SIZE}{n}{compact.ANSATZ}", ("size", f"n {n}"))
    for name in ansatz_names():
        yield Piece(name, ("ansatz", f"ansatz {name}"))
    for layers in range(1, MAX_LAYERS + 1):
        yield Piece(compact.layers_text(layers) + compact.SCALE, ("layers", f"layers {layers}"))
    yield Piece(compact.TERMS)
    for q in range(max_qubits):
        yield Piece(f" q{q}", ("factor", f"q {q}"))


def canonical_pieces(*, max_qubits: int) -> Iterator[Piece]:
    """Of canonical programs and their plans."""
    yield Piece(HEADER)
    yield Piece(MEASURE_ALL)
    for n in range(1, max_qubits + 1):
        wires = range(n)
        yield Piece(f"bit[{n}] c;\nqubit[{n}] q;\n", ("registers", f"n {n}"))
        yield Piece(f"gate cost(g) {', '.join(f'q{q}' for q in wires)} {{\n", ("cost", f"n {n}"))
        yield Piece(f"{', '.join(f'q[{q}]' for q in wires)};\n", ("all qubits", f"n {n}"))
    yield from _plan_pieces(max_qubits)
    yield from _qaoa_pieces(max_qubits)
    yield from _template_pieces(max_qubits)


def imitation_pieces(max_qubits: int) -> Iterator[Piece]:
    """Of templates and adaptive circuits gate by gate, as the published references are imitated."""
    for gate in ("rx", "ry", "rz", "crx", "cry", "crz"):
        yield Piece(f"{gate}(", ("rotation", f"gate {gate}"))
    for q in range(max_qubits):
        yield Piece(f"h q[{q}];\n", ("gate", "gate h", f"q {q}"))
        yield Piece(f") q[{q}];\n", ("only wire", f"q {q}"))
        yield Piece(f") q[{q}]", ("first wire", f"q {q}"))
        yield Piece(f", q[{q}];\n", ("last wire", f"q {q}"))
    for a, b in permutations(range(max_qubits), 2):
        for gate in ("cx", "cz"):
            features = ("pair", f"gate {gate}", f"control {a}", f"target {b}")
            yield Piece(f"{gate} q[{a}], q[{b}];\n", features)


def _plan_pieces(max_qubits: int) -> Iterator[Piece]:
    yield Piece(" =", ("field",))
    for bit in (0, 1):
        yield Piece(plan.decision(bit), ("decision", f"bit {bit}"))
    for q in range(max_qubits):
        yield Piece(f"{plan.START}{q}:", ("turn", f"q {q}"))
        for bit in (0, 1):
            yield Piece(f" q{q}={bit}", ("neighbour", f"q {q}", f"bit {bit}"))


def _qaoa_pieces(max_qubits: int) -> Iterator[Piece]:
    for layer in range(1, MAX_LAYERS + 1):
        for kind in "gb":
            yield Piece(constant(kind, layer), (f"const {kind}", f"layer {layer}"))
        yield Piece(f"cost(2*g{layer}) ", ("apply", f"layer {layer}"))
        yield Piece(f"rx(2*b{layer}) q;\n", ("mix", f"layer {layer}"))
    yield Piece(";\n")
    yield Piece("h q;\n")
    yield Piece("}\n", ("cost", "end"))
    for order in range(1, _LARGEST_ORDER + 1):
        name = "rz" if order == 1 else "z" * order
        yield Piece(f"{name}(g*", ("term", f"order {order}"))
        if order > 1:
            yield Piece(definition(order) + "\n", ("definition", f"order {order}"))
    for q in range(max_qubits):
        yield Piece(f") q{q}", ("first wire", f"q {q}"))
        yield Piece(f") q{q};\n", ("only wire", f"q {q}"))
        yield Piece(f", q{q}", ("wire", f"q {q}"))
        yield Piece(f", q{q};\n", ("last wire", f"q {q}"))


def _template_pieces(max_qubits: int) -> Iterator[Piece]:
    """Of programs that prepare basis states: rotations by 0 or π, and the fixed runs between."""
    for gate in ("rx", "ry", "rz"):
        yield Piece(f"{gate}(0) q;\n", ("whole", gate))
        yield Piece(f"{gate}(pi) q;\n", ("whole", gate, "bit 1"))
    yield Piece("ry(pi/2) q;\n", ("whole", "ry", "bit 1"))
    yield Piece("ry(-pi/2) q;\n", ("whole", "ry", "bit 0"))
    for q in range(max_qubits):
        yield Piece(f"ry(pi/2) q[{q}];\n", ("adaptive", f"q {q}", "bit 1"))
        yield Piece(f"ry(-pi/2) q[{q}];\n", ("adaptive", f"q {q}", "bit 0"))
    for name in ansatz_names():
        family = get_ansatz(name)
        if family.family != "hardware_efficient":
            continue
        for n in range(family.min_qubits, max_qubits + 1):
            yield from _runs(family, n)


def _runs(family: Ansatz, num_qubits: int) -> Iterator[Piece]:
    """The pieces of a template on so many qubits; a rotation that sets a bit has one a value."""
    form = family.circuit(IsingHamiltonian(num_qubits, ()), layers=1)
    slots = setters(form.structure, form.slots)
    if slots is None:
        return
    places = [slots[q] for q in range(num_qubits)]
    lines = [_lines(family, num_qubits, places, first) for first in (0, 1)]
    vary = [place for place, (a, b) in enumerate(zip(*lines, strict=True)) if a != b]
    run = ("run", f"ansatz {family.name}", f"n {num_qubits}")
    if vary[0]:  # it begins with what is fixed
        yield Piece("".join(lines[0][: vary[0]]), run)
    for number, place in enumerate(vary):
        end = vary[number + 1] if number + 1 < len(vary) else len(lines[0])
        fixed = lines[0][place + 1 : end]
        qubit = lines[0][place].partition(" ")[2]
        joined = list(takewhile(lambda line: line.partition(" ")[2] == qubit, fixed))  # noqa: B023
        for of_first in (0, 1):
            head = lines[of_first][place]
            bit = "bit 1" if "(pi)" in head else "bit 0"
            index = qubit[qubit.index("[") + 1 : qubit.index("]")]
            yield Piece("".join([head, *joined]), ("setter", f"q {index}", bit))
        if fixed[len(joined) :]:
            yield Piece("".join(fixed[len(joined) :]), run)
    yield from _further_layer(family, num_qubits, places)


def _further_layer(family: Ansatz, num_qubits: int, places: list[int]) -> Iterator[Piece]:
    one, two = ("".join(_lines(family, num_qubits, places, 0, layers=k)) for k in (1, 2))
    if two.startswith(one):
        yield Piece(two[len(one) :], ("further", f"ansatz {family.name}", f"n {num_qubits}"))


def _lines(
    family: Ansatz, num_qubits: int, places: list[int], first: int, *, layers: int = 1
) -> list[str]:
    """The gates of a program whose qubits are set in turns, qubit 0 to `first`."""
    form = family.circuit(IsingHamiltonian(num_qubits, ()), layers=layers)
    parameters = np.zeros(form.num_parameters)
    parameters[[p for q, p in enumerate(places) if q % 2 != first]] = np.pi
    program = gate_program(form.bind(parameters), decimals=2)
    body = program.removeprefix(HEADER).removesuffix(MEASURE_ALL)
    return body.splitlines(keepends=True)[2:]  # behind the registers
