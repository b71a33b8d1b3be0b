"""Answers that imitate the published references: the worked plan of the state that a reference
makes most probable, then the rule's gates, one a line, with their angles.

Takes a family, or a circuit that the rule made; gives scripts (`quasar.tasks.writing`) and the
choices that write the circuit. Templates leave their angles open; the adaptive family each gate,
its angle and its wires, up to three gates a qubit: later ones turn by little.
"""

import math
from collections.abc import Iterator

from quasar.circuits.ansatz import get_ansatz
from quasar.circuits.ansatz.adaptive import POOL_GATES
from quasar.circuits.canonical import HEADER, MEASURE_ALL, normalised_terms
from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.qasm import read_qasm
from quasar.config import DatasetConfig
from quasar.datasets.plan import worked_plan
from quasar.datasets.records import ProblemRecord
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import probabilities
from quasar.tasks.writing import Script, Step, angle_text, angle_texts, follow

GATES_A_QUBIT = 3  # of an adaptive circuit
_LARGEST = 3.145  # radians, of an angle that is written
_SINGLE, _CONTROLLED = POOL_GATES  # ry, cry


def taught_program(record: ProblemRecord, settings: DatasetConfig) -> str | None:
    """The answer that a policy is taught to a graph problem: its reference; with the published
    teacher and a small policy's prompts and programs the same as `imitated_answer` writes it.
    """
    reference = record.problem.reference_circuit or ""
    asked = settings.teacher, settings.style, settings.prompts
    if asked != ("published", "canonical", "compact") or record.ansatz == "qaoa":
        return reference
    return imitated_answer(
        record.problem.hamiltonian,
        read_qasm(reference),
        ansatz=record.ansatz,
        layers=record.n_layers,
        decimals=settings.angle_decimals,
    )


def imitated_program(ansatz: str, num_qubits: int, *, layers: int, decimals: int) -> Script:
    """The program behind a plan: registers, gates, measurement. Raises InputError for a family that
    has no circuit of that size.
    """
    if ansatz == "adaptive":
        return _adaptive(num_qubits, angle_texts(decimals))
    return _template(ansatz, num_qubits, layers, angle_texts(decimals))


def imitated_answer(
    hamiltonian: IsingHamiltonian, circuit: Circuit, *, ansatz: str, layers: int, decimals: int
) -> str | None:
    """The whole text that says this circuit of a template or of the adaptive family; None where an
    angle of a controlled gate is beyond ±π, which the pieces of a small policy do not spell.
    """
    made = _choices(circuit, ansatz, layers, decimals)
    if made is None:
        return None
    state = int(probabilities(encode(circuit)).argmax())
    bits = [state >> q & 1 for q in range(circuit.num_qubits)]
    plan = worked_plan(normalised_terms(hamiltonian), bits)
    script = imitated_program(ansatz, circuit.num_qubits, layers=layers, decimals=decimals)
    return HEADER + plan + follow(script, lambda _: next(made))


def _template(name: str, num_qubits: int, layers: int, angles: tuple[str, ...]) -> Script:
    form = get_ansatz(name).circuit(IsingHamiltonian(num_qubits, ()), layers=layers)
    text, place = _registers(num_qubits), 0
    chosen: dict[tuple[int, float], str] = {}  # angles that several gates share are chosen once
    for gate in form.structure.gates:
        if not gate.params:
            text += f"{gate.name} {_operands(gate)};\n"
            continue
        key = int(form.slots[place]), float(form.scales[place])
        place += 1
        text += f"{gate.name}("
        if key not in chosen:
            chosen[key] = yield Step(text, angles)
            text = ""
        else:
            text += chosen[key]
        text += f") {_operands(gate)};\n"
    yield Step(text + MEASURE_ALL, ())


def _adaptive(num_qubits: int, angles: tuple[str, ...]) -> Script:
    wires = range(num_qubits)
    single = set(wires)
    pairs = {(c, t) for c in wires for t in wires if c != t}  # no gate comes twice
    text = f"{_registers(num_qubits)}h q;\n"
    for _ in range(GATES_A_QUBIT * num_qubits):
        heads = [f"{_SINGLE}("] * bool(single) + [f"{_CONTROLLED}("] * bool(pairs)
        head = yield Step(text, (*heads, MEASURE_ALL))
        text = ""
        if head == MEASURE_ALL:
            yield Step("", ())
            return
        yield Step("", angles)
        if head == f"{_SINGLE}(":
            ends = {f") q[{q}];\n": q for q in sorted(single)}
            single.remove(ends[(yield Step("", tuple(ends)))])
        else:
            starts = {f") q[{c}]": c for c in sorted({c for c, _ in pairs})}
            control = starts[(yield Step("", tuple(starts)))]
            ends = {f", q[{t}];\n": t for t in sorted(t for c, t in pairs if c == control)}
            pairs.remove((control, ends[(yield Step("", tuple(ends)))]))
    yield Step(MEASURE_ALL, ())


def _choices(circuit: Circuit, ansatz: str, layers: int, decimals: int) -> Iterator[str] | None:
    """What the script is to be sent."""
    gates = [gate for gate in circuit.gates if gate.params]
    most = GATES_A_QUBIT * circuit.num_qubits
    if ansatz == "adaptive":
        gates = gates[:most]
    angles = [_angle(gate) for gate in gates]
    if any(abs(angle) > _LARGEST for angle in angles):
        return None
    texts = [angle_text(angle, decimals) for angle in angles]
    if ansatz != "adaptive":
        form = get_ansatz(ansatz).circuit(IsingHamiltonian(circuit.num_qubits, ()), layers=layers)
        keys = zip(form.slots.tolist(), form.scales.tolist(), strict=True)
        first: dict[tuple[int, float], str] = {}
        for key, text in zip(keys, texts, strict=True):
            first.setdefault(key, text)
        return iter(first.values())
    chosen = [
        word
        for gate, text in zip(gates, texts, strict=True)
        for word in (f"{gate.name}(", text, *_ends(gate))
    ]
    return iter(chosen if len(gates) == most else [*chosen, MEASURE_ALL])


def _angle(gate: Gate) -> float:
    """Of a rotation within (−π, π], the circuit being the same but for a phase; of a controlled
    one as it stands.
    """
    (angle,) = gate.params
    return angle if len(gate.qubits) > 1 else math.remainder(angle, 2 * math.pi)


def _ends(gate: Gate) -> list[str]:
    if len(gate.qubits) == 1:
        return [f") q[{gate.qubits[0]}];\n"]
    control, target = gate.qubits
    return [f") q[{control}]", f", q[{target}];\n"]


def _registers(num_qubits: int) -> str:
    return f"bit[{num_qubits}] c;\nqubit[{num_qubits}] q;\n"


def _operands(gate: Gate) -> str:
    return ", ".join(f"q[{q}]" for q in gate.qubits)
