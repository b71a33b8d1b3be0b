"""Laws of the curriculum: every row is shown, kinds come evenly, a resumed run goes on the same."""

from collections import Counter
from itertools import product
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.config import CurriculumConfig, load_config
from quasar.errors import ConfigError
from quasar.training.curriculum import Position, PromptSampler
from quasar.training.sampler import EpochSampler
from quasar.training.state import RunState

PRIMITIVES = ("hypermaxcut", "min_cut", "vertex_cover")
BALANCES = [(), ("primitive",), ("qubits",), ("primitive", "qubits")]


def record(primitive, qubits):
    """What the sampler looks at."""
    return SimpleNamespace(problem=SimpleNamespace(primitive=primitive, num_qubits=qubits))


records = st.lists(
    st.builds(record, st.sampled_from(PRIMITIVES), st.integers(2, 6)), min_size=1, max_size=25
)
seeds = st.integers(0, 2**40)


def cell_of(row, balance):
    facts = {"primitive": row.problem.primitive, "qubits": row.problem.num_qubits}
    return tuple(facts[name] for name in balance)


def sampler_of(rows, seed=0, **settings):
    return PromptSampler(rows, CurriculumConfig(**settings), seed=seed)


@given(records, st.sampled_from(BALANCES), seeds, st.integers(0, 40))
def test_rounds_are_even_over_the_kinds_and_an_epoch_shows_every_row(rows, balance, seed, skip):
    sampler = sampler_of(rows, seed, balance=balance)
    cells = Counter(cell_of(row, balance) for row in rows)
    first = skip * len(cells)  # the law holds from any round on
    longest = max(cells.values())
    drawn = sampler.take(Position(first), 2 * longest * len(cells))
    for start in range(0, len(drawn), len(cells)):
        kinds = Counter(cell_of(rows[i], balance) for i in drawn[start : start + len(cells)])
        assert kinds == Counter(cells.keys())
    # Two epochs of the longest cell hold a whole one, wherever they begin.
    assert set(drawn) == set(range(len(rows)))
    shown = Counter(drawn)
    for cell, size in cells.items():
        counts = [shown[i] for i, row in enumerate(rows) if cell_of(row, balance) == cell]
        assert max(counts) - min(counts) <= (1 if skip % size == 0 else 2)


@given(st.integers(1, 30), st.integers(1, 9), st.integers(0, 2**31), st.integers(0, 12))
def test_without_settings_the_order_is_that_of_plain_epochs(size, per_step, seed, step):
    rows = [record("min_cut", 3)] * size
    plain = EpochSampler(size, per_step=per_step, seed=seed)
    drawn = sampler_of(rows, seed).take(Position(step * per_step), per_step)
    assert drawn == plain.indices(step)


def walk(sampler, rows, *, steps, start=None, position=None, iterations=12, rewards=None):
    """(rows of each step, position after it), as training moves; refills as the rewards say."""
    position, made = position or Position(), []
    for step in range(start or 0, steps):
        drawn = 4 + (step % 3)  # some steps refill
        taken = sampler.take(position, drawn)
        largest = sampler.levels[position.level]
        measured = (
            rewards[step]
            if rewards and any(rows[i].problem.num_qubits == largest for i in taken)
            else None
        )
        position = sampler.following(
            position, drawn=drawn, step=step + 1, iterations=iterations, reward=measured
        )
        made.append((taken, position))
    return made


@given(
    records,
    st.sampled_from(BALANCES),
    seeds,
    st.integers(0, 11),
    st.lists(st.floats(-1, 1), min_size=12, max_size=12),
    st.floats(0.1, 1.0),
)
def test_a_resumed_run_goes_on_with_the_same_prompts(rows, balance, seed, cut, rewards, over):
    small = min(row.problem.num_qubits for row in rows)
    settings = dict(balance=balance, start_qubits=small, widen_over=over, widen_at_reward=0.5)
    whole = walk(sampler_of(rows, seed, **settings), rows, steps=12, rewards=rewards)
    state = RunState("grpo")
    if cut:
        state.move_to(whole[cut - 1][1])
    rest = walk(
        sampler_of(rows, seed, **settings),
        rows,
        steps=12,
        start=cut,
        position=state.position,
        rewards=rewards,
    )
    assert rest == whole[cut:]


@given(records, st.sampled_from(BALANCES), st.integers(2, 6), st.floats(0.1, 1.0))
def test_sizes_come_in_one_by_one_and_all_are_in_when_the_schedule_says(rows, balance, most, over):
    sizes = sorted({row.problem.num_qubits for row in rows})
    if most < sizes[0]:
        with pytest.raises(ConfigError, match=f"set at least {sizes[0]}"):
            sampler_of(rows, start_qubits=most)
        return
    sampler = sampler_of(rows, balance=balance, start_qubits=most, widen_over=over)
    largest = max(size for size in sizes if size <= most)
    assert sampler.levels == tuple(size for size in sizes if size >= largest)
    iterations = 40
    made = walk(sampler, rows, steps=iterations, iterations=iterations)
    levels = [0, *(position.level for _, position in made)]
    assert levels == sorted(levels)
    full = over * iterations
    for step, (taken, _) in enumerate(made):
        allowed = sampler.levels[levels[step]]
        assert all(rows[i].problem.num_qubits <= allowed for i in taken)
        if step >= full:
            assert allowed == sizes[-1]


def test_a_good_reward_on_the_largest_size_brings_the_next_one_early():
    rows = [record(p, q) for p, q in product(PRIMITIVES, (3, 4, 5))]
    sampler = sampler_of(rows, start_qubits=3, widen_over=1.0, widen_at_reward=0.4)
    at = Position()
    step = dict(drawn=8, iterations=100)
    assert sampler.following(at, step=1, reward=0.39, **step) == Position(8, 0, 0)
    assert sampler.following(at, step=1, reward=None, **step) == Position(8, 0, 0)
    wider = sampler.following(at, step=1, reward=0.4, **step)
    assert wider == Position(8, 1, 8)
    assert sampler.following(wider, step=2, reward=0.9, **step) == Position(16, 2, 16)
    last = sampler.following(Position(16, 2, 16), step=3, reward=0.9, **step)
    assert last == Position(24, 2, 16)
    # a level that began is not left again, and the schedule still opens what no reward does
    assert sampler.following(at, step=50, reward=-1.0, **step).level == 1


def test_a_start_below_the_smallest_problem_is_refused_before_anything_runs():
    with pytest.raises(ConfigError, match=r"start_qubits 2 is below dataset.min_qubits 3"):
        load_config("laptop", ["grpo.curriculum.start_qubits=2"])
    assert load_config("laptop", ["grpo.curriculum.balance=qubits"]).grpo.curriculum.balance == (
        "qubits",
    )
