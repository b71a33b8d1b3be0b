"""What follows from a validation's metric: the best step, and the end of training."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.config import ValidationConfig, load_config
from quasar.errors import ConfigError, InputError
from quasar.training.state import RunState
from quasar.training.validation import Validation, note


def run(values, **settings):
    """The state after validations at steps 0, 10, 20, …, as far as training goes."""
    state, config = RunState("grpo"), ValidationConfig(every=10, **settings)
    for i, value in enumerate(values):
        state.step = 10 * i
        note(state, value, config)
        if state.stopped:
            break
    return state


def test_the_best_step_is_the_first_with_the_highest_value():
    state = run([0.30, 0.41, 0.38, 0.41])
    assert (state.best_step, state.best_value) == (10, 0.41)
    assert state.validations_since_best == 2
    assert not state.stopped


def test_a_gain_must_exceed_the_least_improvement():
    state = run([0.30, 0.34, 0.38], min_improvement=0.05)
    assert (state.best_step, state.best_value) == (20, 0.38)


def test_training_ends_after_as_many_validations_without_a_gain():
    state = run([0.1, 0.4, 0.3, 0.4, 0.5, 0.9], patience=2, min_improvement=0.01)
    assert state.step == 30
    assert state.stopped == (
        "validation/reward did not rise by more than 0.01 in 2 validations "
        "(best 0.400 after update 10)"
    )


def test_a_validation_without_a_grade_counts_for_nothing():
    state = run([0.4, None, 0.3, None, 0.35], patience=3)
    assert state.validations_since_best == 2
    assert not state.stopped
    assert run([None]).best_step is None


@given(st.lists(st.floats(-1, 1), max_size=12), st.integers(0, 4), st.floats(0, 0.3))
def test_patience_is_counted_from_the_last_gain(values, patience, least):
    state = run(values, patience=patience, min_improvement=least)
    if state.stopped:
        assert state.step - state.best_step == 10 * patience > 0
    elif values:
        assert state.step == 10 * (len(values) - 1)
        assert not patience or state.step - state.best_step < 10 * patience
        assert state.best_value >= max(values) - least - 1e-9


def test_patience_without_validations_is_refused():
    with pytest.raises(ConfigError, match=r"set grpo.validation.every"):
        load_config("laptop", ["grpo.validation={patience: 3, every: 0}"])


def test_an_empty_split_is_named(tmp_path):
    empty = tmp_path / "validation.jsonl"
    empty.write_text("")
    with pytest.raises(InputError, match=r"validation.jsonl"):
        Validation(
            load_config("laptop", ["grpo.validation.every=5"]), empty, lambda answers, verifiers: {}
        )
