"""Our readers against each other and against Qiskit's: same circuits, no verdict unexplained."""

import json
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import pytest
from fuzzing import change_number, change_tokens
from grammar import write_program
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from references import LIMITS, READS, breaks_rule, experimental, imported, ours, with_phases

from quasar.circuits.extraction import extract_program
from quasar.circuits.qasm import read_qasm
from quasar.circuits.qasm.fast_reader import read_plain
from quasar.circuits.qasm.semantics import read_complete
from quasar.circuits.to_qiskit import to_qiskit

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
HEAD = 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit[3] c; '
TAIL = " c = measure q;"
# Where one reads a program and the other does not: our refusal, theirs ("" for none), and why.
# Each is in docs/openqasm.md.
EXPLAINED = (
    (r"missing_header", "", "the version is not looked at"),
    (r"bad_include", "", "standard gates are asked for only where they are used"),
    (r"non_finite_angle", "", "angles may be infinite"),
    (r"index_out_of_range", "", "a range is cut off at the end of its register"),
    (r"unsupported .*ends of a range", "", "ends of a range are Python's"),
    (r"unsupported .*powers of this gate", "", "powers are taken whatever the rounding errors"),
    (r"repeated_qubit .*barrier", "", "a barrier may repeat a qubit"),
    (r"unsupported .*is changed by", "", "`c += measure q` is read as `c = measure q`"),
    ("", r"ConversionError .*unsupported binary operation '\*\*'", "no powers"),
    ("", r"ConversionError .*FunctionCall", "no functions"),
    ("", r"ConversionError .*type error", "no sum of a parameter and an integer"),
    ("", r"ZeroDivisionError|TypeError|ValueError|OverflowError", "it fails on odd numbers"),
)


def unitary(circuit: QuantumCircuit) -> np.ndarray:
    """Of a circuit's gates, without its final measurements."""
    bare = QuantumCircuit(circuit.num_qubits)
    bare.global_phase = circuit.global_phase
    for instruction in circuit.data:
        if instruction.operation.name not in ("measure", "barrier"):
            bare.append(
                instruction.operation, [circuit.find_bit(q).index for q in instruction.qubits]
            )
    return Operator(bare).data


def distance(left: np.ndarray, right: np.ndarray) -> float:
    """Largest difference of two unitary matrices, up to a global phase."""
    overlap = np.vdot(left, right)
    return float(np.abs(left * (overlap / abs(overlap)) - right).max())


@settings(max_examples=120)
@given(st.randoms(use_true_random=False))
def test_a_program_means_the_same_to_the_reference(random):
    program = write_program(random)
    circuit = read_qasm(program.text)
    assert circuit == read_qasm(program.plain)
    assert circuit.num_qubits == program.num_qubits
    kind, why, reference = imported(with_phases(program.plain))
    assert kind == READS, why
    assert breaks_rule(reference) is None
    assert distance(unitary(to_qiskit(circuit)), unitary(reference)) < 1e-9


@settings(max_examples=200)
@given(st.randoms(use_true_random=False), st.booleans())
def test_where_the_plain_reader_decides_the_complete_one_agrees(random, change):
    text = write_program(random).text
    if change:
        text = change_tokens(random, text)
    plain = ours(text, read_plain)
    if plain != (READS, "", None):
        assert plain[::2] == ours(text, read_complete)[::2]


def explained(ours: str, theirs: str) -> bool:
    return any(
        (re.match(left, ours, re.DOTALL) if left else ours == READS)
        and (re.match(right, theirs, re.DOTALL) if right else theirs == READS)
        for left, right, _ in EXPLAINED
    )


def test_changed_programs_are_refused_by_both_or_the_difference_is_known():
    verdicts, unexplained = Counter(), []
    for seed in range(600):
        random = Random(seed)
        change = random.choice((change_tokens, change_number))
        text = change(random, write_program(random).plain)
        kind, why, _ = ours(text)
        other, complaint, reference = imported(text)
        rule = breaks_rule(reference) if reference else None
        verdicts[kind == READS, other == READS and rule is None] += 1
        if (kind == READS) != (other == READS and rule is None):
            mine = READS if kind == READS else f"{kind} {why}"
            theirs = READS if other == READS else f"{other} {complaint}"
            if not explained(mine, theirs):
                unexplained.append((mine, theirs, text))
    assert not unexplained
    assert verdicts[True, True] > 50
    assert verdicts[False, False] > 50


def rows() -> list[tuple[str, ...]]:
    """The table of differences in docs/openqasm.md: example, ours, theirs, native."""
    text = (ROOT / "docs" / "openqasm.md").read_text("utf-8")
    return re.findall(r"^\| `(.+?)`[^|]*\| (\w+) \| (\w+) \| (\w+) \|$", text, re.MULTILINE)


@pytest.mark.parametrize(("example", "expected", "reference", "native"), rows())
def test_each_documented_difference_is_one(example, expected, reference, native):
    text = example if "qubit[3]" in example else HEAD + example
    text = text if "measure" in text else text + TAIL
    assert ours(text)[0] == expected
    assert (imported(text)[0] == READS) == (reference == READS)
    assert (experimental(text)[0] == READS) == (native == READS)
    assert len({expected == READS, reference == READS, native == READS}) == 2


def test_the_documented_limits_are_those_of_the_code():
    from quasar.circuits.qasm import expand, modifiers, operand_parser
    from quasar.circuits.qasm import semantics as complete
    from quasar.config import VerificationConfig

    config = VerificationConfig()
    assert (LIMITS.max_text_bytes, LIMITS.max_qubits, LIMITS.max_gates) == (
        config.max_text_bytes,
        config.max_qubits,
        config.max_gates,
    )
    text = (ROOT / "docs" / "openqasm.md").read_text("utf-8")
    for value, where in (
        (f"{config.max_text_bytes:,} bytes of UTF-8", "verification.max_text_bytes"),
        (config.max_qubits, "verification.max_qubits"),
        (config.max_gates, "verification.max_gates"),
        (expand.MAX_STEPS, "expand.MAX_STEPS"),
        (expand.MAX_DEPTH, "expand.MAX_DEPTH"),
        (operand_parser.MAX_NESTING, "operand_parser.MAX_NESTING"),
        (operand_parser.MAX_DIGITS, "operand_parser.MAX_DIGITS"),
        (f"{complete.MAX_MODIFIERS}, {complete.MAX_CONTROLS}", "complete.MAX_MODIFIERS"),
        (expand.MAX_MODIFIED, "expand.MAX_MODIFIED"),
        (f"{modifiers.MAX_MATRIX_QUBITS}, {modifiers.MAX_EXPONENT:,}", "modifiers.MAX_MATRIX"),
        (f"{config.time_limit_s:.0f} s", "verification.time_limit_s"),
        (f"{config.memory_limit_mb:,} MiB", "verification.memory_limit_mb"),
    ):
        shown = f"{value:,}" if isinstance(value, int) else value
        assert f"| {shown} | `{where}" in text


@pytest.mark.slow
def test_verdicts_on_all_model_outputs(capfd):
    if not DATA.is_dir():
        pytest.skip("the benchmark files are not beside this repository")
    texts = [
        text
        for name in ("pass1", "pass10")
        for line in (DATA / f"generations_deepseek_v3_{name}.jsonl").read_text().splitlines()
        for text in json.loads(line)["completions"]
    ]
    found = Counter()
    for program in map(extract_program, texts):
        found[
            ours(program)[0], imported(program)[0] == READS, experimental(program)[0] == READS
        ] += 1
    assert found == {
        (READS, True, True): 1147,
        ("index_out_of_range", False, False): 37,
        ("unknown_gate", False, False): 10,
        ("unknown_name", False, False): 1,
        (READS, True, False): 9,  # integer angles, and a constant expression
        ("not_measured", True, True): 3,
        ("repeated_qubit", False, True): 2,
    }


def phases() -> list[tuple[str, ...]]:
    """The table of phases in docs/openqasm.md: example, ours, theirs."""
    text = (ROOT / "docs" / "openqasm.md").read_text("utf-8")
    return re.findall(r"^\| `(.+?)` \| ([01/2]+) \| ([01/2]+) \|$", text, re.MULTILINE)


@pytest.mark.parametrize(("example", "expected", "reference"), phases())
def test_each_documented_phase_is_one(example, expected, reference):
    text = f"{HEAD}h q[0]; {example} h q[0];{TAIL}"
    for circuit, value in (
        (to_qiskit(read_qasm(text)), expected),
        (imported(text)[2], reference),
    ):
        found = abs(unitary(circuit)[0, 0]) ** 2
        assert found == pytest.approx(float(Fraction(value)), abs=1e-9)
