"""The scripted answer to a Hamiltonian: how many layers of ry and cx, then their angles.

// 1 layer
ry(0.67) q[0];
…
cx q[0], q[1];
…
"""

from collections.abc import Iterator, Sequence

from quasar.circuits.circuit import Circuit
from quasar.tasks.ground_state.smooth import MAX_LAYERS
from quasar.tasks.programs import program, real_layers
from quasar.tasks.writing import Piece, Script, Step, angle_text, angle_texts, follow


def layers_script(num_qubits: int, *, decimals: int) -> Script:
    """The number of layers and each angle are choices."""
    header, registers, measured = _parts(num_qubits)
    counts = {_count_text(layers): layers for layers in range(1, MAX_LAYERS + 1)}
    layers = counts[(yield Step(header, tuple(counts)))]
    text = registers
    for gate in real_layers(num_qubits, layers).gates:
        if gate.params:
            yield Step(f"{text}{gate.name}(", angle_texts(decimals))
            text = f") q[{gate.qubits[0]}];\n"
        else:
            text += f"cx q[{gate.qubits[0]}], q[{gate.qubits[1]}];\n"
    yield Step(text + measured, ())


def layers_text(num_qubits: int, layers: int, angles: Sequence[float]) -> str:
    """The script's text for so many layers with these angles."""
    decimals = 3  # the nearest of the finest is each of the coarser ones itself
    chosen = iter([_count_text(layers), *(angle_text(angle, decimals) for angle in angles)])
    return follow(layers_script(num_qubits, decimals=decimals), lambda choices: next(chosen))


def layer_pieces(max_qubits: int) -> Iterator[Piece]:
    """Of prompts and programs."""
    for layers in range(1, MAX_LAYERS + 1):
        yield Piece(_count_text(layers), ("layers", f"layers {layers}"))
    for q in range(max_qubits):
        for letter in "XYZ":
            yield Piece(f" {letter}{q}", ("letter", f"factor {letter}", f"q {q}"))


def _count_text(layers: int) -> str:
    return f"// {layers} layer{'s' if layers > 1 else ''}\n"


def _parts(num_qubits: int) -> tuple[str, str, str]:
    """Header, registers and measurements of a program."""
    text = program(Circuit(num_qubits, ()))
    header, bit, rest = text.partition("bit[")
    registers, first, measured = rest.partition("c[0] =")
    return header, bit + registers, first + measured
