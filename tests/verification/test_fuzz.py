"""A small share of what `benchmarks/fuzz.py` runs: no crash, no hang, every refusal with a name."""

import time
from collections import Counter

import pytest
from fuzzing import KINDS, Cases, verdict

from quasar.config import VerificationConfig
from quasar.verification.verifier import FORMULAS, Verifier
from quasar.verification.worker import run_check

CASES = Cases(seed=7)


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_case_of_the_fuzzer_is_a_fault(formula):
    verifier = Verifier(VerificationConfig(), formula)
    verifier.warm_up()
    verdicts, slowest = Counter(), (0.0, -1)
    for k in range(1_200):
        started = time.process_time()  # others may load the machine
        found = verdict(run_check(verifier, CASES.check(k), memory_limit_mb=0))
        slowest = max(slowest, (time.process_time() - started, k))
        assert not found.startswith("fault"), f"case {k}: {found}"
        verdicts[found] += 1
    assert slowest[0] < 2.0, f"case {slowest[1]}"
    # The cases reach far: many are read, and those that are not are refused for many reasons.
    assert verdicts["valid"] > 240
    assert len(verdicts.keys() & KINDS) >= 12


def test_a_fault_is_told_from_a_refusal():
    class Broken:
        def verify(self, *_args, **_options):
            raise RecursionError("too deep")

    found = verdict(run_check(Broken(), CASES.check(0), memory_limit_mb=0))
    assert found == "fault: error: RecursionError: too deep"


def test_a_case_depends_on_seed_and_number_alone():
    assert CASES.check(11).text == Cases(seed=7).check(11).text
    assert CASES.check(11).text != Cases(seed=8).check(11).text
