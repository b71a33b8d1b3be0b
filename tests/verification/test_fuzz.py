"""A small share of what `benchmarks/fuzz.py` runs: no crash, no hang, every refusal with a name."""

import time
from collections import Counter

import pytest
from fuzz import TASKS
from fuzzing import KINDS, Cases, verdict

from quasar.config import VerificationConfig
from quasar.simulation.stabiliser.tableau import NOT_CLIFFORD
from quasar.verification.request import answer_request
from quasar.verification.verifier import FORMULAS, Verifier
from tests.support.machine import unit, young_heap

CASES = Cases(seed=7)
UNITS = 200.0  # of `machine.unit`, as in test_hostile


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_case_of_the_fuzzer_is_a_fault(formula):
    verifier = Verifier(VerificationConfig(), formula)
    verifier.warm_up()
    verdicts, slowest = Counter(), 0.0
    with young_heap():
        for k in range(1_200):
            started = time.process_time()  # others may load the machine
            found = verdict(answer_request(verifier, CASES.check(k), memory_limit_mb=0))
            took = time.process_time() - started
            if took > slowest:
                slowest = took
                assert took < UNITS * unit(), f"case {k}"
            assert not found.startswith("fault"), f"case {k}: {found}"
            verdicts[found] += 1
    # The cases reach far: many are read, and those that are not are refused for many reasons.
    assert verdicts["valid"] > 240
    assert len(verdicts.keys() & KINDS) >= 12


@pytest.mark.parametrize("task", TASKS)
def test_no_case_is_a_fault_of_a_task(task):
    verifier, cases = Verifier(VerificationConfig()), Cases(seed=7, task=task)
    verdicts = Counter(
        verdict(answer_request(verifier, cases.check(k), memory_limit_mb=0)) for k in range(400)
    )
    assert not [found for found in verdicts if found.startswith("fault")]
    assert verdicts["valid"] > (10 if task == "stabiliser" else 60)
    assert (verdicts[NOT_CLIFFORD] > 40) == (task == "stabiliser")


def test_a_fault_is_told_from_a_refusal():
    class Broken:
        def verify(self, *_args, **_options):
            raise RecursionError("too deep")

    found = verdict(answer_request(Broken(), CASES.check(0), memory_limit_mb=0))
    assert found == "fault: error: RecursionError: too deep"


def test_a_case_depends_on_seed_and_number_alone():
    assert CASES.check(11).text == Cases(seed=7).check(11).text
    assert CASES.check(11).text != Cases(seed=8).check(11).text
