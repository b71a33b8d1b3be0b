"""Requests to guarded processes: whatever they meet is a value, and each keeps its own clock."""

import ast
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import quasar.verification
from quasar.config import VerificationConfig
from quasar.problems import build_instance
from quasar.verification.execution.process import GuardedVerifier
from quasar.verification.report import Failed
from quasar.verification.request import answer_request
from tests.support.machine import scaled

CONFIG = VerificationConfig(time_limit_s=1.0, memory_limit_mb=300)
PROBLEMS = [
    build_instance(
        "vertex_cover",
        {"nodes": [{"id": k} for k in range(n)], "edges": [{"source": 0, "target": 1}]},
    )
    for n in (2, 3, 4)
]


class Bystander:
    """A verifier that nobody asks."""

    def __init__(self, *_):
        pass


def recurse(*_):
    return recurse()


def fault(error):
    raise error


WORK = {
    "number": lambda verifier: os.getpid(),
    "value": lambda verifier: fault(ValueError("two\nlines")),
    "zero": lambda verifier: 1 / 0,
    "recursion": recurse,
    "memory": lambda verifier: fault(MemoryError()),
    "bare": lambda verifier: fault(AssertionError()),
    "sleep": lambda verifier: time.sleep(2.5),
    "spin": lambda verifier: spin(),
    "function": lambda verifier: lambda: None,  # cannot be sent
}


def spin():
    while True:
        pass


@dataclass(frozen=True)
class Task:
    """A request that does what its name says."""

    name: str
    problem: Any = PROBLEMS[0]
    clock: str = "wall"
    load: Any = None

    def warm_up(self, verifier):
        if self.load == "warm":
            fault(ValueError("not warm"))

    def answer(self, verifier):
        return WORK[self.name](verifier)


@pytest.fixture(scope="module")
def verifiers():
    with GuardedVerifier(CONFIG, num_workers=2, verifier_factory=Bystander) as verifiers:
        yield verifiers


@pytest.mark.parametrize(
    ("name", "kind", "detail"),
    [
        ("value", "error", "ValueError: two lines"),
        ("zero", "error", "ZeroDivisionError: division by zero"),
        ("recursion", "error", "RecursionError: maximum recursion depth exceeded"),
        ("memory", "memory", "the verification needed more than 300 MiB"),
        ("bare", "error", "AssertionError"),
    ],
)
def test_any_exception_is_a_fault(name, kind, detail):
    found = answer_request(None, Task(name), memory_limit_mb=300)
    assert isinstance(found, Failed)
    assert found.kind == kind
    assert found.detail.startswith(detail)


def test_each_request_has_its_answer_in_order(verifiers):
    """Three problems on two children; faults on the way, in sending too, stay in their places."""
    tasks = [
        Task(name, problem, load=load)
        for problem in PROBLEMS
        for name, load in (
            ("number", None),
            ("zero", None),
            ("function", None),
            ("number", "warm"),
        )
    ]
    found = verifiers.verify(tasks)
    assert len(found) == len(tasks)
    for start in range(0, len(found), 4):
        first, zero, unsent, again = found[start : start + 4]
        assert first == again != os.getpid()
        assert zero.kind == "error"
        assert unsent.kind == "error"
        assert unsent.detail.startswith("cannot be sent")
    assert verifiers.verify([]) == []


def test_what_cannot_travel_is_a_fault(verifiers):
    (unsent,) = verifiers.verify([Task("number", load=lambda: None)])
    assert unsent.kind == "error"
    assert unsent.detail.startswith("cannot be sent")
    (again,) = verifiers.verify([Task("number")])
    assert isinstance(again, int)


def test_the_processors_clock_does_not_count_waiting(verifiers):
    """So that a busy machine costs nobody a grade; what spins is ended all the same."""
    waited, ended = verifiers.verify([Task("sleep", clock="processor"), Task("sleep")])
    assert waited is None
    assert ended.kind == "timeout"
    (ended,) = verifiers.verify([Task("spin", clock="processor")])
    assert ended.kind == "timeout"


def test_closing_ends_what_is_under_way():
    verifiers = GuardedVerifier(
        CONFIG.model_copy(update={"time_limit_s": 600.0}), verifier_factory=Bystander
    )
    verifiers.verify([Task("number")])
    found = []
    thread = threading.Thread(target=lambda: found.extend(verifiers.verify([Task("spin")] * 2)))
    thread.start()
    time.sleep(0.5)
    verifiers.close()
    thread.join(timeout=scaled(60))
    assert [fault.kind for fault in found] == ["worker"] * 2
    assert verifiers.verify([Task("number")])[0].kind == "worker"


def test_verification_does_not_know_rewards():
    for path in Path(quasar.verification.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module != "quasar.verification.reward", path.name
