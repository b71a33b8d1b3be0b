"""Which answer is imitated, and what a round's figures are of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.config import ImproveConfig
from quasar.training.selection import (
    GradedAnswer,
    GradedProblem,
    best_of,
    reason_to_drop,
    round_metrics,
)


def answer(text, reward, ratio=0.5, *, valid=True, graded=True, optimal=False):
    return GradedAnswer(text, graded, valid, reward, ratio, optimal)


def everything(text):
    return True


def test_the_best_is_the_valid_graded_one_with_most_reward_then_the_shortest():
    found = best_of(
        [
            answer("cut", 0.9, valid=False),
            answer("lost", 0.9, graded=False),
            answer("long program", 0.7),
            answer("program", 0.7 + 1e-9),
            answer("b", 0.6, 0.9),
        ],
        ImproveConfig(),
        everything,
    )
    assert found is not None
    assert found.text == "program"


def test_the_best_may_be_chosen_by_its_ratio():
    answers = [answer("a", 0.7, 0.8), answer("b", 0.6, 0.9)]
    found = best_of(answers, ImproveConfig(choose="approximation_ratio"), everything)
    assert found is not None
    assert found.text == "b"


def test_an_answer_of_another_family_is_not_taken():
    answers = [answer("x q;", 1.0), answer("qaoa", 0.4)]
    found = best_of(answers, ImproveConfig(), lambda text: text == "qaoa")
    assert found is not None
    assert found.text == "qaoa"
    assert best_of(answers, ImproveConfig(), lambda text: False) is None


@pytest.mark.parametrize(
    ("chosen", "trivial", "settings", "why"),
    [
        (None, 0.5, {}, "not_valid"),
        (answer("a", 0.8, 0.9), 0.9, {}, ""),
        (answer("a", 0.8, 0.9), 0.9005, {}, ""),  # as good, but for its rounded angles
        (answer("a", 0.8, 0.8), 0.9, {}, "beat_trivial"),
        (answer("a", 0.8, 0.8, optimal=True), 0.9, {}, ""),
        (answer("a", 0.8, 0.8), None, {}, ""),
        (answer("a", 0.8, 0.8), 0.9, {"beat_trivial": False}, ""),
        (answer("a", 0.8, 0.9), 0.9, {"min_gain": 0.25}, "min_gain"),
        (answer("a", 0.9, 0.9), 0.9, {"min_gain": 0.25}, ""),
        (answer("a", 0.5, 0.9), 0.9, {}, "min_gain"),  # below the mean of its group
    ],
)
def test_what_is_not_kept_says_which_rule_dropped_it(chosen, trivial, settings, why):
    group = [answer("p", 0.5), answer("q", 0.7), answer("lost", 0.0, graded=False)]
    beside = None if trivial is None else answer("t", 0.1, trivial)
    assert reason_to_drop(chosen, group, beside, ImproveConfig(**settings)) == why


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=8))
def test_the_best_is_never_below_the_mean_of_its_group(found):
    group = [answer(f"{i}", r if ok else -0.5, r if ok else 0.0, valid=ok)
             for i, (ok, r) in enumerate(found)]  # fmt: skip
    best = best_of(group, ImproveConfig(), everything)
    if any(ok for ok, _ in found):
        assert reason_to_drop(best, group, None, ImproveConfig()) == ""
    else:
        assert best is None


def test_failed_verifications_are_in_no_mean():
    samples = (answer("a", 0.2, 0.4), answer("b", 0.6, 0.8), answer("lost", 0, graded=False))
    good = GradedProblem(0, samples, samples[1], answer("c", 0.7, 0.9), answer("t", 0.5, 0.7),
                         "c", "", {"sample": 2.0})  # fmt: skip
    bad = GradedProblem(1, (answer("d", -0.5, 0.0, valid=False),), None, None, None, None,
                        "not_valid", {"sample": 1.0})  # fmt: skip
    metrics = round_metrics([good, bad])
    assert metrics["reward"] == pytest.approx((0.2 + 0.6 - 0.5) / 3)
    assert metrics["failed_fraction"] == pytest.approx(0.25)
    assert metrics["best/reward"] == pytest.approx((0.6 - 0.5) / 2)
    assert metrics["chosen/approximation_ratio"] == pytest.approx(0.45)
    assert metrics["trivial/reward"] == pytest.approx(0.5)
    assert (metrics["kept"], metrics["dropped/not_valid"]) == (1.0, 1.0)
    assert metrics["seconds/sample"] == pytest.approx(3.0)
    assert GradedProblem.from_dict(good.to_dict()) == good
    assert GradedProblem.from_dict(bad.to_dict()) == bad
