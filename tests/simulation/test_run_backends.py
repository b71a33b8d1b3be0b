"""Circuits on backends of Qiskit: Aer, snapshots, the runtime's sampler, and `quasar run`."""

import json

import numpy as np
import pytest

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

import qiskit_ibm_runtime as runtime

from quasar.circuits.qasm import read_qasm
from quasar.cli.main import main
from quasar.errors import ConfigError, SimulationError
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation import get_simulator
from quasar.simulation.aer.backends import BackendRun, Submitted, open_backend
from quasar.simulation.aer.mitigation import SCALES

PROBLEM = "max cut of 0-1:3 1-2:1 2-0:2"
TEXT = """OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] c;
h q;
cx q[0], q[1];
rz(0.8) q[1];
cx q[0], q[1];
cx q[1], q[2];
rz(0.4) q[2];
cx q[1], q[2];
rx(0.9) q;
c = measure q;
"""
CIRCUIT = read_qasm(TEXT)
HAMILTONIAN = IsingHamiltonian(3, ((1.5, (0, 1)), (0.5, (1, 2)), (1.0, (0, 2))))
EXACT = get_simulator("exact", 3)


@pytest.fixture(scope="module")
def manila():
    return open_backend("fake_manila")


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "circuit.qasm"
    path.write_text(TEXT)
    return str(path)


def test_without_noise_the_exact_distribution_is_sampled():
    run = BackendRun(open_backend("aer"), CIRCUIT)
    (samples,) = run.submit(shots=20_000, seed=1).outcomes()
    estimate = run.mitigated([samples], HAMILTONIAN).raw
    expected = EXACT.expectation_value(CIRCUIT, HAMILTONIAN).value
    assert samples.shots == 20_000
    assert abs(estimate.value - expected) < 5 * estimate.standard_error
    assert run.cost(10).quantum_s is None
    assert run.cost(10).success == 1.0


@pytest.mark.parametrize("name", ["aer", "fake_manila"])
def test_qubit_zero_is_bit_zero(name):
    circuit = read_qasm(TEXT.split("h q;")[0] + "x q[0];\nc = measure q;\n")
    (samples,) = BackendRun(open_backend(name), circuit).submit(shots=500).outcomes()
    assert samples.bits[np.argmax(samples.counts)].tolist() == [1, 0, 0]


def test_a_device_runs_its_own_gates_and_noise_is_extrapolated(manila):
    run = BackendRun(manila, CIRCUIT, mitigation="linear")
    for scale, program in zip(SCALES, run.programs, strict=True):
        counts = program.count_ops()
        assert counts["cx"] == scale * run.compiled.num_two_qubit_gates
        for step in program.data:
            places = tuple(program.find_bit(bit).index for bit in step.qubits)
            name = step.operation.name
            assert name == "barrier" or manila.target.instruction_supported(name, places)
    found = run.mitigated(run.submit(shots=8000, seed=2).outcomes(), HAMILTONIAN)
    expected = EXACT.expectation_value(CIRCUIT, HAMILTONIAN).value
    assert found.readout_mitigated is not None
    assert found.best is found.zero_noise
    errors = [abs(one.value - expected) for one in (found.raw, found.readout_mitigated)]
    assert errors[1] < errors[0]
    assert abs(found.best.value - expected) < errors[0]


def test_what_a_run_costs(manila):
    cost = BackendRun(manila, CIRCUIT, mitigation="linear").cost(100)
    plain = BackendRun(manila, CIRCUIT).cost(100)
    assert (cost.circuits, plain.circuits, cost.shots) == (3, 1, 100)
    assert 0.5 < plain.success < 1
    wait = manila.default_rep_delay
    assert plain.quantum_s == pytest.approx(100 * (plain.duration_s + wait))
    assert cost.quantum_s == pytest.approx(100 * (9 * plain.duration_s + 3 * wait))


def test_the_sampler_of_the_runtime_is_read_the_same_way(manila):
    """In its local mode, which takes the same programs and gives the same results."""
    run = BackendRun(manila, CIRCUIT)
    sampler = runtime.SamplerV2(mode=manila)
    job = Submitted(sampler.run([(one,) for one in run.programs], shots=2000))
    (samples,) = job.outcomes()
    assert (samples.shots, samples.bits.shape[1]) == (2000, 3)
    here = run.mitigated(run.submit(shots=2000, seed=3).outcomes(), HAMILTONIAN).raw
    there = run.mitigated([samples], HAMILTONIAN).raw
    assert abs(here.value - there.value) < 6 * (here.standard_error + there.standard_error)


def test_what_does_not_fit_is_refused(manila):
    text = TEXT.replace("[3]", "[6]")
    with pytest.raises(SimulationError, match="has 5 qubits, the circuit 6"):
        BackendRun(manila, read_qasm(text))
    with pytest.raises(ConfigError, match="there is no snapshot 'fake_nowhere'"):
        open_backend("fake_nowhere")
    for name, part in [
        ("json:loads", "json:loads"),
        ("nowhere:f", "No module named"),
        ("builtins:list", "no target"),
    ]:
        with pytest.raises(ConfigError, match=part):
            open_backend(name)


def test_without_an_account_it_says_how_to_store_one(tmp_path, monkeypatch):
    from qiskit_ibm_runtime.accounts import management

    place = str(tmp_path / "accounts.json")
    monkeypatch.setattr(management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", place)
    monkeypatch.delenv("QISKIT_IBM_TOKEN", raising=False)
    with pytest.raises(ConfigError, match=r"Unable to find account.*save_account") as caught:
        open_backend("ibm_torino")
    assert "\n" not in str(caught.value)


def test_the_command_tells_cost_and_answers(program, capsys):
    assert main(["run", program, PROBLEM, "--backend", "aer", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cost"]["circuits"] == 1
    assert 0 <= found["read"]["approximation_ratio"] <= 1
    read, noiseless = found["read"], found["noiseless"]
    assert abs(read["energy"] - noiseless["energy"]) < 6 * read["standard_error"]
    assert sum(one["probability"] for one in found["outcomes"]) <= 1
    assert all(len(one["bitstring"]) == 3 for one in found["outcomes"])


def test_a_dry_run_submits_nothing(program, capsys, monkeypatch):
    monkeypatch.setattr(BackendRun, "submit", lambda self, **_: pytest.fail("submitted"))
    words = ["run", program, PROBLEM, "--backend", "fake_manila", "--dry-run", "--price", "2"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "fake_manila (simulated here)" in shown
    assert "; price " in shown
    monkeypatch.setattr(BackendRun, "remote", True)
    assert main([*words[:-3], "--max-seconds", "0.01"]) == 2
    assert "above --max-seconds 0.01" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("circuit", "problem", "part"),
    [
        (TEXT, "max cut of 0-1:3", "has 3 qubits, the problem 2"),
        ("h q;", PROBLEM, "("),
        (TEXT, "nonsense", "names no problem"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, circuit, problem, part):
    path = tmp_path / "circuit.qasm"
    path.write_text(circuit)
    assert main(["run", str(path), problem, "--backend", "aer"]) == 2
    told = capsys.readouterr().err
    assert part in told
    assert told.strip().count("\n") == 0
