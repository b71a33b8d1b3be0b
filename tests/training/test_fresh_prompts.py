"""Prompts of GRPO that are drawn anew: by number alone, in the share that is asked for."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.config import load_config
from quasar.datasets.fresh import FreshLike
from quasar.datasets.task_records import TaskRecord
from quasar.tasks import get_task
from quasar.training.curriculum import Position
from quasar.training.rllib.source import RolloutSource

KINDS = (("ground_state", "tfim_chain", 2), ("state_preparation", "product", 2),
         ("stabiliser", "state", 3))  # fmt: skip


@cache
def records():
    rng = np.random.default_rng(0)
    return [
        TaskRecord(k, get_task(task).generate(rng, family=family, num_qubits=n))
        for k, (task, family, n) in enumerate(KINDS * 4)
    ]


def source(share):
    config = load_config("laptop-tasks", [f"grpo.fresh={share}"])
    nothing: Any = None  # no rollout is made here
    return RolloutSource(records(), config, nothing, fresh=FreshLike(config) if share else None)


def asked(made, first, count):
    """The problems of prompts from the run's `first` on."""
    tasks = made.tasks(0, Position(first), count=count)
    size = made.config.grpo.samples_per_prompt
    groups = [tasks[k : k + size] for k in range(0, len(tasks), size)]
    assert all(len({task.problem.key for task in group}) == 1 for group in groups)
    return [group[0].problem for group in groups]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 500), st.integers(1, 5), st.integers(1, 5))
def test_a_prompt_depends_on_its_number_alone_however_steps_are_cut(first, one, two):
    made = source(0.5)
    whole = asked(made, first, one + two)
    assert asked(made, first, one) + asked(source(0.5), first + one, two) == whole
    rows = asked(source(0.0), first, one + two)
    for new, row in zip(whole, rows, strict=True):  # in the turns of the curriculum
        assert (new.task, new.family, new.num_qubits) == (row.task, row.family, row.num_qubits)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_new_problems_is_the_one_asked_for(share):
    kept = {record.problem.key for record in records()}
    new = np.mean([problem.key not in kept for problem in asked(source(share), 0, 90)])
    assert new == pytest.approx(share, abs=0.12)
