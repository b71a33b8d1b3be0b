"""Shared real parts: a tiny policy in Hugging Face layout, a small dataset, a local Ray."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import capture, guard
from tests.support.machine import scaled
from tests.support.tiny import TINY

os.environ.setdefault("DS_ACCELERATOR", "cpu")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# Time is measured in benchmarks; on a busy machine a deadline fails for no fault of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)  # before pytest-timeout reads its own
def pytest_configure(config):
    """A guard over what tests start, and time limits that scale with this machine."""
    if config.option.collectonly:
        return
    guard.start()
    config.quasar_signals = guard.Signals(scaled(guard.ENDING_S))
    if config.option.timeout is None and "PYTEST_TIMEOUT" not in os.environ:
        config.option.timeout = scaled(float(config.getini("timeout")))


def pytest_unconfigure(config):
    """What failed, last of all: a long log is read from its end. One line a reason, as a fault of
    the machine or of a fixture fails every test that follows."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    stats = getattr(reporter, "stats", {})
    failed: dict[tuple[str, str], list[str]] = {}
    for kind in ("failed", "error"):
        for report in stats.get(kind, []):
            failed.setdefault((kind, _reason(report)), []).append(report.nodeid)
    for (kind, reason), names in failed.items():
        also = f" and {len(names) - 1} more" if len(names) > 1 else ""
        print(f"tests: {kind}: {names[0]}{also}: {reason}", file=sys.stderr)
    for name in dict.fromkeys(capture.LOST):
        print(f"tests: warning: {name}: {capture.CaptureLost.__doc__}", file=sys.stderr)


def _reason(report):
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else report.longreprtext
    return " ".join(text.split())[:200]


def pytest_collection_modifyitems(items):
    """Files with slow tests first, so that several workers end together; scaled time limits."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        if marker := item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(scaled(*marker.args)), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    signals = item.config.quasar_signals
    signals.install()  # a fixture may have started Ray, which takes SIGTERM
    result = yield
    if signals.received:
        item.session.shouldstop = signals.received.name
    return result


# Around what captures output.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item):
    return (yield from capture.kept_whole(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item):
    return (yield from capture.kept_whole(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item):
    return (yield from capture.kept_whole(item))


def pytest_warning_recorded(warning_message, nodeid):
    if issubclass(warning_message.category, capture.CaptureLost):
        capture.LOST.append(nodeid)


@pytest.fixture(scope="session")
def tiny_config():
    """The preset `published`, shrunk until a step takes a fraction of a second."""
    from quasar.config import load_config

    return load_config("published", TINY)


@pytest.fixture(scope="session")
def tiny_dataset(tiny_config, tmp_path_factory) -> Path:
    """Directory with train, validation and test splits of 3-4 qubit problems."""
    from quasar.datasets.generation.generate import generate_dataset

    directory = tmp_path_factory.mktemp("dataset")
    generate_dataset(tiny_config, directory, progress=False)
    return directory


@pytest.fixture(scope="session")
def tiny_policy(tiny_config, tiny_dataset, tmp_path_factory) -> Path:
    """Directory of an untrained model with its tokenizer."""
    from quasar.datasets.io import read_problems
    from quasar.datasets.prompts import build_messages
    from quasar.policy.models import build_policy

    corpus = []
    for record in read_problems(tiny_dataset / "train.jsonl"):
        corpus += [m["content"] for m in build_messages(record.problem)]
        corpus.append(record.problem.reference_circuit)
    return build_policy(tiny_config, corpus, tmp_path_factory.mktemp("policy") / "initial")


@pytest.fixture(scope="session")
def local_ray(tiny_config):
    """A Ray of this machine, started as every command starts it."""
    import ray

    from quasar.runtime import init_ray

    init_ray(tiny_config)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="session")
def calm_run(tmp_path_factory) -> Path:
    """A directory with a whole training run, `run`, that nothing disturbed."""
    from tests.support.training_runs import start, write_config

    directory = tmp_path_factory.mktemp("calm")
    log = directory / "log.txt"
    job = start(write_config(directory), log)
    try:
        assert job.wait(scaled(500)) == 0, log.read_text()[-3000:]
    finally:
        job.kill()
    return directory
