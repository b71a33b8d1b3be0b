"""`quasar convert`: a program in the other style, which prepares the same state."""

import io
import json
import sys

import numpy as np
import pytest

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.canonical import normalised_terms, qaoa_program
from quasar.circuits.qasm import read_qasm
from quasar.cli.main import main
from quasar.problems import build_instance
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import statevector

WORDS = "vertex cover of 0-1 1-2"
ROW = {
    "sample_index": 7,
    "problem_type": "vertex_cover",
    "graph": {"nodes": [{"id": 0}, {"id": 1}, {"id": 2}],
              "edges": [{"source": 0, "target": 1}, {"source": 1, "target": 2}]},
}  # fmt: skip
HAMILTONIAN = build_instance("vertex_cover", ROW["graph"]).hamiltonian
PUBLISHED = qaoa_circuit(HAMILTONIAN, [0.75], [-0.4]).to_qasm()
CANONICAL = qaoa_program(3, normalised_terms(HAMILTONIAN), [0.7], [-0.4], comments=["a plan"])
LOOP = f"{PUBLISHED.partition('h q')[0]}for int i in [0:2] {{ h q[i]; }}\n"


@pytest.fixture
def convert(capsys):
    """(exit code, stdout, stderr) of one command."""

    def run(*arguments):
        capsys.readouterr()
        code = main(["convert", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def files(tmp_path):
    (tmp_path / "published.qasm").write_text(PUBLISHED)
    (tmp_path / "canonical.qasm").write_text(CANONICAL)
    (tmp_path / "problems.jsonl").write_text(json.dumps(ROW) + "\n")
    return tmp_path


def overlap(first: str, second: str) -> float:
    a, b = (statevector(encode(read_qasm(program))) for program in (first, second))
    return float(abs(np.vdot(a, b)) ** 2)


@pytest.mark.parametrize("words", [True, False])
def test_qaoa_of_a_problem_gets_named_parameters(convert, files, words):
    problem = ["--problem", WORDS]
    if not words:
        problem = ["--problems", files / "problems.jsonl", "--index", 7]
    code, out, err = convert(files / "published.qasm", *problem)
    assert (code, err) == (0, "")
    assert out.count("const float") == 2
    assert "gate cost(g) q0, q1, q2 {" in out
    assert overlap(out, PUBLISHED) == pytest.approx(1.0, abs=1e-6)


def test_a_canonical_program_is_written_gate_by_gate_and_keeps_its_family(convert, files):
    code, out, _ = convert(files / "canonical.qasm")
    assert code == 0
    assert "const" not in out
    assert "plan" not in out
    assert "c[2] = measure q[2];" in out
    assert overlap(out, CANONICAL) == pytest.approx(1.0, abs=1e-9)
    assert recognise(out, HAMILTONIAN).family == "qaoa"


def test_without_a_problem_gates_are_kept(convert, files):
    _, out, err = convert(files / "published.qasm")
    assert (out.count("const"), err) == (0, "")
    assert "\nh q;\n" in out
    assert out.endswith("c = measure q;\n")
    assert read_qasm(out) == read_qasm(PUBLISHED)


def test_gates_that_are_not_qaoa_of_the_problem_are_kept_and_that_is_said(convert, files, caplog):
    other = ["--problem", "vertex cover of 0-1 1-2 0-2"]
    with caplog.at_level("INFO", logger="quasar"):
        code, out, _ = convert(files / "published.qasm", *other)
    assert (code, "const" in out) == (0, False)
    assert "not QAOA of this problem" in caplog.text


def test_a_style_asked_for_is_given_whatever_the_program_is_in(convert, files):
    _, out, _ = convert(files / "canonical.qasm", "--to", "canonical")
    assert out == f"{CANONICAL}\n"  # its parameters are named: as it is, with its comment
    _, out, _ = convert(files / "published.qasm", "--to", "published")
    assert out == f"{PUBLISHED}\n"


def test_an_answer_from_standard_input_goes_into_a_file(convert, files, monkeypatch):
    answer = f"Here it is:\n```\n{CANONICAL}\n```\nGood luck."
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(answer.encode())))
    code, out, _ = convert("-", "--output", files / "new.qasm")
    assert (code, out) == (0, "")
    assert read_qasm((files / "new.qasm").read_text()).num_qubits == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing.qasm"], "nothing.qasm: cannot be read"),
        (["published.qasm", "--problems", "problems.jsonl"], "--problems and --index go together"),
        (["published.qasm", "--index", 7], "--problems and --index go together"),
        (["published.qasm", "--problems", "no.jsonl", "--index", 7], "--problems no.jsonl: no"),
        (["published.qasm", "--problems", "problems.jsonl", "--index", 8], "no row has sample_in"),
        (["published.qasm", "--problems", "problems.jsonl", "--index", 7, "--problem", WORDS],
         "not both"),
        (["published.qasm", "--problem", "vertex cover"], "--problem: "),
        (["published.qasm", "--problem", "vertex cover of 0-1"], "3 qubits, the problem 2"),
        (["published.qasm", "--output", "none/new.qasm"], "--output none/new.qasm: none is no"),
        (["published.qasm", "--set", "verification.max_qubits=2"], "3 qubits are declared, 2 are"),
        (["loop.qasm"], "loops ('for') are not accepted"),
        (["empty.qasm"], "empty.qasm: the text is empty"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(convert, files, monkeypatch, arguments, said):
    monkeypatch.chdir(files)
    (files / "loop.qasm").write_text(LOOP)
    (files / "empty.qasm").write_text("\n")
    code, out, err = convert(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
