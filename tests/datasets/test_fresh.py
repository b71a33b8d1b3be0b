"""Fresh problems: the same for a seed, of the split and the families asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.config import load_config
from quasar.datasets import fresh
from quasar.datasets.fresh import FreshLike, FreshProblems
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.generation.generate import split_of
from quasar.datasets.records import ProblemRecord
from quasar.datasets.task_records import TaskRecord
from quasar.errors import ConfigError, ProblemError
from quasar.tasks import get_task

SETTINGS = [
    "dataset.primitives=[max_cut, vertex_cover, knapsack]",
    "dataset.min_qubits=3",
    "dataset.max_qubits=7",
    "dataset.layers=[1, 2]",
    "dataset.prompts=compact",
    "dataset.style=canonical",
]


def drawn(*more, split="train", number=30, first=0, **options):
    config = load_config("laptop", [*SETTINGS, *more])
    return FreshProblems(config, split=split, **options).records(first, number)


def test_a_problem_depends_on_seed_and_number_alone():
    whole = drawn()
    assert [r.to_dict() for r in drawn(first=20, number=10)] == [r.to_dict() for r in whole[20:]]
    other = drawn("run.seed=1")
    assert {r.problem.key for r in other}.isdisjoint(
        {r.problem.key for r in whole if r.problem.num_qubits > 5}
    )
    assert [r.sample_index for r in whole] == list(range(30))


def test_no_problem_is_of_another_split():
    fractions = {"validation_fraction": 0.05, "test_fraction": 0.1}
    for split in ("train", "validation"):
        found = drawn(split=split, number=12)
        assert {split_of(r.problem.key, **fractions) for r in found} == {split}


def test_problems_are_of_the_set_and_the_families_asked_for():
    found = drawn("improve.ansatze=[qaoa, adaptive]", number=60)
    assert {r.problem.primitive for r in found} == {"max_cut", "vertex_cover", "knapsack"}
    assert {r.problem.num_qubits for r in found} == {3, 4, 5, 6, 7}
    assert {r.ansatz for r in found} == {"qaoa", "adaptive"}
    assert {r.n_layers for r in found if r.ansatz == "qaoa"} == {1, 2}
    for record in found:
        spectrum = record.problem.spectrum
        assert spectrum.optimal.size < spectrum.energies.size
        assert record.problem.reference_circuit is None


def test_with_a_stream_templates_are_those_that_it_teaches():
    families = ["improve.ansatze=hardware_efficient", "sft.stream.examples=0"]
    every = {r.ansatz for r in drawn(*families, number=150)}
    taught = {r.ansatz for r in drawn(*families, "sft.stream.examples=10", number=150)}
    assert "sim_9" in every
    assert "sim_9" not in taught
    assert len(taught) > 3


def test_what_cannot_be_drawn_is_named(monkeypatch):
    monkeypatch.setattr(fresh, "_ATTEMPTS", 100)
    with pytest.raises(ProblemError, match="no train problem in 100 draws; widen"):
        drawn("dataset.primitives=[max_cut]", "dataset.max_qubits=3", number=1,
              fits=lambda record: False)  # fmt: skip
    with pytest.raises(ConfigError, match="did you mean 'qaoa'"):
        drawn("improve.ansatze=qoaa")


KINDS = [
    ("max_cut", 5), ("number_partitioning", 4), ("ground_state/h2", 4),
    ("ground_state/tfim_chain", 2), ("state_preparation/product", 3), ("stabiliser/state", 3),
]  # fmt: skip


def of_kind(kind, n, seed=0):
    """A record of it."""
    task, _, family = kind.partition("/")
    if family:
        made = get_task(task).generate(np.random.default_rng(seed), family=family, num_qubits=n)
        return TaskRecord(7, made)
    problem = make_candidate(Cell(task, n), seed, 0)
    return ProblemRecord(7, problem, "qaoa", 2, {"quality": {}}, ansatz="qaoa")


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 1 << 20))
def test_a_problem_like_another_is_of_its_kind_and_never_held_out(kind, number):
    config = load_config("laptop-tasks")
    like = of_kind(*kind)
    found = FreshLike(config).record(like, number)
    assert found.to_dict() == FreshLike(config).record(like, number).to_dict()
    assert type(found) is type(like)
    for field in ("primitive", "num_qubits"):
        assert getattr(found.problem, field) == getattr(like.problem, field)
    assert split_of(found.problem.key, validation_fraction=0.05, test_fraction=0.1) == "train"
    if isinstance(found, ProblemRecord):
        assert (found.ansatz, found.n_layers, found.extras) == ("qaoa", 2, {})
        assert found.problem.encoding == like.problem.encoding


def test_problems_like_another_are_different_ones():
    draws = FreshLike(load_config("laptop-tasks"))
    for kind in KINDS:
        like = of_kind(*kind)
        keys = {draws.record(like, number).problem.key for number in range(20)}
        assert len(keys) > 10, kind


def test_of_a_kind_that_is_held_out_the_problem_itself_comes():
    """Bell states: one of the four is held out; of prompts that do not fit, none is taken."""
    config = load_config("laptop-tasks")
    bell = of_kind("state_preparation/bell", 2)
    keys = {FreshLike(config).record(bell, number).problem.key for number in range(40)}
    assert len(keys) == 3
    assert FreshLike(config, fits=lambda record: False).record(bell, 1) is bell
