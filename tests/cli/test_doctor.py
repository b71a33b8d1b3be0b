import socket
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from quasar.cli import doctor
from quasar.cli.main import main
from quasar.config import load_config


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def named(checks, name):
    found = [check for check in checks if check.name == name]
    assert found, f"no check named {name}"
    return found[-1]


def test_a_working_environment_passes(tmp_path, free_port):
    config = load_config(
        "laptop", [f"run.directory={tmp_path}", f"serving.port={free_port}", "cluster.address=null"]
    )
    checks = doctor.run_doctor(config)
    # what depends on the machine rather than on the environment is left out
    failed = [c for c in checks if not c.ok and c.name not in ("disk", "memory", "Ray", "MLflow")]
    assert failed == []
    assert {"python", "torch", "ray", "qiskit", "simulator", "accelerator", "ninja"} <= {
        check.name for check in checks
    }
    assert all(bool(check.hint) != check.ok for check in checks)


@pytest.mark.parametrize(
    ("version", "ok"), [("2.60.0", True), ("2.61.0", False), ("2.59.9", False), (None, False)]
)
def test_versions_are_held_against_the_bounds(version, ok):
    check = doctor.check_requirement(Requirement("ray[tune,serve]>=2.60,<2.61"), version)
    assert check.ok is ok
    if not ok:
        assert check.hint == "pip install 'ray[serve,tune]<2.61,>=2.60'"


def test_a_local_build_is_within_the_bounds():
    assert doctor.check_requirement(Requirement("torch>=2.11,<2.14"), "2.13.0+cpu").ok


def test_an_extra_that_is_not_installed_is_one_line():
    wanted = ['numpy>=2,<9', 'nosuch-a; extra == "train"', 'nosuch-b; extra == "train"',
              'numpy>=2,<9; extra == "serve"', 'nosuch-c; extra == "dev"']  # fmt: skip
    found = list(doctor.check_packages(map(Requirement, wanted)))
    assert [(check.name, check.ok) for check in found] == [("numpy", True), ("extra train", False)]
    assert found[1].detail == "not installed: nosuch-a, nosuch-b"
    assert found[1].hint == 'pip install "quasar-rl[train]"'


def test_two_simulators_are_a_conflict():
    check = doctor.check_simulators({"qiskit-aer": "0.18.2", "qiskit-aer-gpu": "0.15.1"})
    assert not check.ok
    assert "uninstall" in check.hint
    assert not doctor.check_simulators({"qiskit-aer": None, "qiskit-aer-gpu": None}).ok


def test_a_taken_port_is_found():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        checks = list(doctor._serving_port(load_config("laptop", [f"serving.port={port}"])))
    assert not checks[0].ok
    assert "serving.port" in checks[0].hint


def test_an_address_is_reached_or_not(free_port):
    assert not doctor.reachable("Ray", f"127.0.0.1:{free_port}", 1, "start it").ok
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port))
        server.listen()
        assert doctor.reachable("Ray", f"http://127.0.0.1:{free_port}", 1, "start it").ok
        assert doctor.reachable("Ray", "127.0.0.1", free_port, "start it").ok
    assert not doctor.reachable("Ray", "host:no-port", 1, "start it").ok


def test_an_unreachable_ray_and_tracking_server_fail(free_port, monkeypatch):
    address = f"127.0.0.1:{free_port}"
    config = load_config("laptop", [f"cluster.address={address}", f"tracking.uri=http://{address}"])
    assert not named(doctor._ray(config), "Ray").ok
    assert not named(doctor._tracking(config), "MLflow").ok


@pytest.mark.parametrize(
    ("uri", "ok"),
    [("sqlite:///{tmp}/new/a.db", True), ("{tmp}/mlruns", True)],
)
def test_a_tracking_file_needs_a_writable_place(uri, ok, tmp_path, monkeypatch):
    config = load_config("laptop", [f"tracking.uri='{uri.format(tmp=tmp_path)}'"])
    assert named(doctor._tracking(config), "MLflow").ok is ok
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: Path(path) != tmp_path)
    assert named(doctor._tracking(config), "MLflow").ok is not ok


def test_token_states(tmp_path):
    present, absent = tmp_path / "auth_token", tmp_path / "none"
    present.write_text("secret-token")
    assert not doctor.check_token({"RAY_AUTH_MODE": "token"}, absent).ok
    assert doctor.check_token({"RAY_AUTH_MODE": "token"}, present).ok
    assert doctor.check_token({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "x"}, absent).ok
    unsent = doctor.check_token({}, present)
    assert unsent.ok
    assert "RAY_AUTH_MODE=token" in unsent.detail
    assert "secret-token" not in unsent.detail


def test_a_gpu_that_is_asked_for_and_absent_fails():
    import torch

    config = load_config("single-gpu")
    assert named(doctor._accelerator(config), "accelerator").ok is torch.cuda.is_available()


def test_a_probe_that_breaks_is_a_failed_check(monkeypatch):
    def _broken(config):
        raise RuntimeError("no such device")

    monkeypatch.setattr(doctor, "PROBES", (_broken, doctor._python))
    checks = doctor.run_doctor(load_config("laptop"))
    assert [check.ok for check in checks] == [False, True]
    assert "no such device" in checks[0].detail


def test_the_command_prints_each_check_and_exits_with_1(monkeypatch, capsys):
    checks = [doctor.Check("good", True, "fine"), doctor.Check("bad", False, "broken", "hint it")]
    monkeypatch.setattr(doctor, "run_doctor", lambda config: checks)
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["ok   good  fine", "FAIL bad   broken  hint: hint it"]
    monkeypatch.setattr(doctor, "run_doctor", lambda config: checks[:1])
    assert main(["doctor"]) == 0


def test_a_home_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("")  # nothing can be made below a file
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (check,) = doctor._caches(load_config("laptop"))
    assert check.ok
    assert f"{tmp_path / 'home' / '.cache'} cannot be written to; caches go to {tmp_path}" in (
        check.detail
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "x"))
    (check,) = doctor._caches(load_config("laptop"))
    assert not check.ok
    assert "NUMBA_CACHE_DIR" in check.hint


def test_a_policy_model_that_is_none_is_found(tmp_path):
    (check,) = doctor._model(load_config("laptop", [f"policy.model={tmp_path}"]))
    assert not check.ok
    assert "no config.json" in check.detail
