"""A check in a child process ends at its limits, and the next one is answered."""

import os
import signal

import numpy as np
import pytest

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import VerificationConfig
from quasar.errors import VerificationError
from quasar.problems import build_instance
from quasar.verification.execution.process import GuardedVerifier
from quasar.verification.execution.worker import make_verifier
from quasar.verification.request import VerificationRequest
from quasar.verification.reward import Failed

CONFIG = VerificationConfig(time_limit_s=1.0, memory_limit_mb=300)
PROBLEM = build_instance(
    "vertex_cover", {"nodes": [{"id": 0}, {"id": 1}], "edges": [{"source": 0, "target": 1}]}
)
FLIPS = Circuit(2, (Gate("x", (1,)),)).to_qasm()


class Troubled:
    """A verifier that does what the text says."""

    def __init__(self, config, formula):
        self.inner = make_verifier(config, formula)

    def verify(self, problem, text, **options):
        if text == "hang":
            sum(range(10**11))  # native code that holds the interpreter lock all the while
        if text == "fill":
            np.ones(600 << 20, np.uint8)
        if text == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if text == "print":
            print("not a word of the protocol")
        return self.inner.verify(problem, text, **options)


def refuse(config, formula):
    raise ValueError("no verifier today")


@pytest.fixture(scope="module")
def verifier():
    with GuardedVerifier(CONFIG, verifier_factory=Troubled) as verifier:
        yield verifier


def test_limits_hold_and_the_next_check_is_answered(verifier):
    texts = ("hang", FLIPS, "fill", "die", FLIPS)
    results = verifier.verify([VerificationRequest(PROBLEM, text) for text in texts])
    assert results[0] == Failed("timeout", "the verification was ended at its time limit")
    assert (results[2].kind, results[3]) == (
        "memory",
        Failed("worker", "the verifier's process ended"),
    )
    for report in (results[1], results[4]):
        assert report.distribution.most_probable[0].bitstring == "10"


def test_a_check_is_diagnosed_where_it_asks_for_it(verifier):
    plain, asked = verifier.verify(
        [VerificationRequest(PROBLEM, FLIPS), VerificationRequest(PROBLEM, FLIPS, diagnose=True)]
    )
    assert plain.diagnosis is None
    assert asked.diagnosis is not None


def test_what_the_child_prints_stays_off_standard_output(capfd):
    with GuardedVerifier(CONFIG, verifier_factory=Troubled) as verifier:
        verifier.verify([VerificationRequest(PROBLEM, "print")])
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "not a word" in captured.err


def test_a_child_that_does_not_start_is_one_clear_error(capfd):
    with (
        GuardedVerifier(CONFIG, verifier_factory=refuse) as verifier,
        pytest.raises(VerificationError, match="did not start") as caught,
    ):
        verifier.verify([VerificationRequest(PROBLEM, FLIPS)])
    assert caught.value.kind == "worker"
    assert "no verifier today" in capfd.readouterr().err
