"""Checks of the machine before a run: what a run needs, and a hint where it is missing.

`run_doctor(config)` gives the checks in the order in which one would fix them. Starts nothing and
leaves nothing behind: no Ray is started, no directory is made, the network is used only to reach
what the configuration names (a Ray address, an MLflow server).
"""

import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.version import Version

from quasar.config import QuasarConfig
from quasar.errors import QuasarError
from quasar.runtime import cluster_failure
from quasar.system.caches import writable
from quasar.system.extras import MODULES

DISTRIBUTION = "quasar-rl"
EXTRAS = ("train", "serve", "mcp")  # that hold whole commands
SIMULATOR_PACKAGES = ("qiskit-aer", "qiskit-aer-gpu")
MINIMUM_DISK_GIB = 5.0
MINIMUM_MEMORY_GIB = 4.0
CONNECT_TIMEOUT_S = 3.0
DASHBOARD_PORT = 8265
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: `hint` says what to do where `ok` is False, and is empty otherwise."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


def run_doctor(config: QuasarConfig) -> list[Check]:
    """All checks for a run with this configuration; one that breaks counts as failed."""
    checks: list[Check] = []
    for probe in PROBES:
        try:
            checks.extend(probe(config))
        except Exception as error:  # a probe that breaks is a finding, the others still run
            if isinstance(error, ModuleNotFoundError) and error.name in MODULES:
                continue  # of an extra, which the packages' check tells
            name = probe.__name__.removeprefix("_").replace("_", " ")
            checks.append(Check(name, False, f"{type(error).__name__}: {error}", "see the error"))
    return checks


def _python(config: QuasarConfig) -> Iterator[Check]:
    required = metadata.metadata(DISTRIBUTION).json.get("requires_python") or ">=3.11"
    ok = Requirement(f"python{required}").specifier.contains(platform.python_version())
    detail = f"{platform.python_version()} ({sys.executable})"
    yield Check("python", ok, detail, "" if ok else f"needs Python {required}: make clean setup")


def _packages(config: QuasarConfig) -> Iterator[Check]:
    """What is always installed, and what a run and an endpoint need besides."""
    yield from check_packages(map(Requirement, metadata.requires(DISTRIBUTION) or []))


def check_packages(requirements: Iterable[Requirement]) -> Iterator[Check]:
    """A line for each package, and one for all that an extra lacks: pip brings them together."""
    seen: set[str] = set()
    missing: dict[str, list[str]] = {extra: [] for extra in EXTRAS}
    for requirement in requirements:
        name, marker = requirement.name, requirement.marker
        version = installed_version(name)
        if marker is not None and not marker.evaluate({"extra": ""}):
            extra = next((e for e in EXTRAS if marker.evaluate({"extra": e})), None)
            if extra is None:
                continue
            if version is None:
                missing[extra].append(name)
                continue
        if name not in seen:
            seen.add(name)
            yield check_requirement(requirement, version)
    for extra, names in missing.items():
        if names:
            detail = f"not installed: {', '.join(names)}"
            yield Check(f"extra {extra}", False, detail, f'pip install "quasar-rl[{extra}]"')


def installed_version(name: str) -> str | None:
    """Version of an installed distribution, None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_requirement(requirement: Requirement, version: str | None) -> Check:
    """Whether an installed version lies within the bounds."""
    if version is None:
        return Check(requirement.name, False, "not installed", f"pip install '{bare(requirement)}'")
    ok = requirement.specifier.contains(Version(version), prereleases=True)
    return Check(
        requirement.name,
        ok,
        version if ok else f"{version} is outside {requirement.specifier}",
        "" if ok else f"pip install '{bare(requirement)}'",
    )


def bare(requirement: Requirement) -> str:
    """The requirement without its marker, as pip takes it on the command line."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def _simulator(config: QuasarConfig) -> Iterator[Check]:
    yield check_simulators({name: installed_version(name) for name in SIMULATOR_PACKAGES})


def check_simulators(versions: Mapping[str, str | None]) -> Check:
    """Exactly one of the two Aer packages: both install the module qiskit_aer."""
    found = [f"{name} {version}" for name, version in versions.items() if version]
    if not found:
        return Check("simulator", False, "no qiskit-aer", "pip install 'quasar-rl[cpu]' (or [gpu])")
    if len(found) > 1:
        return Check(
            "simulator",
            False,
            f"{' and '.join(found)} overwrite each other's files",
            "pip uninstall -y qiskit-aer qiskit-aer-gpu, then pip install one of them",
        )
    from qiskit_aer import AerSimulator

    devices = ", ".join(AerSimulator().available_devices() or ())
    return Check("simulator", True, f"{found[0]}, devices: {devices}")


def _accelerator(config: QuasarConfig) -> Iterator[Check]:
    import torch

    if torch.cuda.is_available():
        names = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
        detail = f"{torch.cuda.device_count()} GPU ({', '.join(sorted(names))})"
        yield Check("accelerator", True, detail)
        return
    asked = (
        config.cluster.accelerator == "gpu"
        or config.learner.gpus_per_learner
        or config.rollout.gpus_per_worker
        or config.serving.gpus_per_replica
    )
    hint = "install a CUDA build of torch on a machine with a GPU, or --config laptop"
    unused = "there is a GPU, but this torch is built without CUDA"
    detail = unused if shutil.which("nvidia-smi") else "no GPU"
    yield Check("accelerator", not asked, f"{detail}; models run on the CPU", hint if asked else "")


def _model(config: QuasarConfig) -> Iterator[Check]:
    from quasar.policy.preflight import require_training

    try:
        require_training(config)
    except QuasarError as error:
        yield Check("policy model", False, f"{error}", "set policy.model, or as said")
    else:
        yield Check("policy model", True, config.policy.model)


def _compiler(config: QuasarConfig) -> Iterator[Check]:
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CXX", "c++"), "g++"))), None)
    hint = "apt-get install g++ (DeepSpeed compiles its CPU communication op with it)"
    yield Check("C++ compiler", bool(compiler), compiler or "none", "" if compiler else hint)
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    ninja = shutil.which("ninja", path=search)
    yield Check("ninja", bool(ninja), ninja or "none", "" if ninja else "pip install ninja")


def _caches(config: QuasarConfig) -> Iterator[Check]:
    usual = Path.home() / ".cache"
    place = Path(os.environ.get("XDG_CACHE_HOME") or usual)
    if not writable(place):
        hint = "set XDG_CACHE_HOME and NUMBA_CACHE_DIR to a directory that can be written to"
        yield Check("caches", False, f"{place} cannot be written to", hint)
    elif writable(usual):
        yield Check("caches", True, f"{place}")
    else:
        yield Check("caches", True, f"{usual} cannot be written to; caches go to {place}")


def _run_directory(config: QuasarConfig) -> Iterator[Check]:
    place = next(p for p in (config.run_directory, *config.run_directory.parents) if p.exists())
    ok = place.is_dir() and os.access(place, os.W_OK)
    hint = "" if ok else f"make {place} a writable directory, or --set run.directory=PATH"
    yield Check("run directory", ok, f"{config.run_directory}", hint)
    free = shutil.disk_usage(place).free / GIB
    ok = free >= MINIMUM_DISK_GIB
    hint = "" if ok else f"free {MINIMUM_DISK_GIB:.0f} GiB, or --set run.directory=PATH"
    yield Check("disk", ok, f"{free:.1f} GiB free", hint)


def _memory(config: QuasarConfig) -> Iterator[Check]:
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") / GIB
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():  # counts the page cache as available, as sysconf does not
        fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        available = int(fields["MemAvailable"].split()[0]) / 2**20
    ok = available >= MINIMUM_MEMORY_GIB
    hint = "" if ok else f"a run needs about {MINIMUM_MEMORY_GIB:.0f} GiB: end other programs"
    yield Check("memory", ok, f"{available:.1f} GiB available", hint)


def _serving_port(config: QuasarConfig) -> Iterator[Check]:
    host, port = config.serving.host, config.serving.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        hint = "end the program that holds it, or --set serving.port=N"
        yield Check("serving port", False, f"{host}:{port}: {error.strerror or error}", hint)
    else:
        yield Check("serving port", True, f"{host}:{port} is free")


def _ray(config: QuasarConfig) -> Iterator[Check]:
    address = config.cluster.address or os.environ.get("RAY_ADDRESS", "")
    hint = "start it (ray start --head), or correct cluster.address / RAY_ADDRESS"
    if address in ("", "local"):
        yield Check("Ray", True, "no address given; a local Ray is started")
    elif address.startswith("http"):  # of a dashboard, which takes jobs
        yield reachable("Ray", address, DASHBOARD_PORT, hint)
    else:
        failure = cluster_failure(address, timeout_s=CONNECT_TIMEOUT_S)
        detail = f"{address} answers" if failure is None else f"{address}: {failure}"
        yield Check("Ray", failure is None, detail, "" if failure is None else hint)
    yield check_token(os.environ, Path.home() / ".ray" / "auth_token")


def check_token(environment: Mapping[str, str], default_path: Path) -> Check:
    """Whether Ray's commands can authenticate against a cluster that asks for a token."""
    mode = environment.get("RAY_AUTH_MODE", "").lower()
    path = Path(environment.get("RAY_AUTH_TOKEN_PATH", default_path))
    has_token = bool(environment.get("RAY_AUTH_TOKEN")) or path.is_file()
    if mode == "token" and not has_token:
        hint = "ray get-auth-token --generate, or set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"
        return Check("Ray token", False, "RAY_AUTH_MODE=token but there is no token", hint)
    if not mode and has_token:
        return Check("Ray token", True, "present; ray job submit needs: export RAY_AUTH_MODE=token")
    return Check(
        "Ray token", True, f"mode {mode or 'unset'}, token {'' if has_token else 'not '}set"
    )


def reachable(name: str, address: str, default_port: int, hint: str) -> Check:
    """Whether a TCP connection to the host and port of an address (URL or host:port) opens."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        port = parts.port or default_port
        with socket.create_connection((parts.hostname or "", port), timeout=CONNECT_TIMEOUT_S):
            return Check(name, True, f"{parts.hostname}:{port} answers")
    except (OSError, ValueError) as error:
        return Check(name, False, f"{parts.netloc}: {error}", hint)


def _tracking(config: QuasarConfig) -> Iterator[Check]:
    uri = config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        yield Check("MLflow", True, "sqlite in the run directory")
        return
    parts = urlsplit(uri)
    hint = "start the server, or correct tracking.uri / MLFLOW_TRACKING_URI"
    if parts.scheme in ("http", "https"):
        yield reachable("MLflow", uri, 443 if parts.scheme == "https" else 80, hint)
    elif parts.scheme in ("", "file", "sqlite"):
        path = Path(parts.path.removeprefix("/") if parts.scheme == "sqlite" else parts.path)
        place = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
        ok = os.access(place, os.W_OK)
        hint = "" if ok else f"make {place} writable, or correct tracking.uri"
        yield Check("MLflow", ok, f"{uri} ({place} is {'' if ok else 'not '}writable)", hint)
    else:
        yield Check("MLflow", True, f"{parts.scheme} store, not checked")


PROBES: tuple[Callable[[QuasarConfig], Iterator[Check]], ...] = (
    _python,
    _packages,
    _simulator,
    _accelerator,
    _model,
    _compiler,
    _caches,
    _run_directory,
    _memory,
    _serving_port,
    _ray,
    _tracking,
)
