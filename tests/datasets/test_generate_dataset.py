"""Dataset generation: reproducible, resumable, split without leaks, balanced, bounded."""

import json

import pytest

from quasar.config import load_config
from quasar.datasets.generation import workers
from quasar.datasets.generation.generate import SPLITS, generate_dataset, split_of
from quasar.datasets.generation.planning import balanced
from quasar.datasets.io import read_problems
from quasar.errors import InputError, ProblemError
from quasar.problems import decoder_for
from quasar.problems.soundness import check_sound


def config_of(**settings):
    default = {"encoding": "sound", "num_examples": 60, "max_qubits": 4, "num_workers": 1}
    settings = default | settings
    return load_config("published", [f"dataset.{k}={json.dumps(v)}" for k, v in settings.items()])


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.glob("[!.]*")}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    directory = tmp_path_factory.mktemp("dataset")
    return generate_dataset(config_of(), directory, progress=False)


def test_same_configuration_gives_the_same_bytes_in_any_number_of_processes(dataset, tmp_path):
    generate_dataset(config_of(num_workers=2), tmp_path, progress=False)
    assert contents(tmp_path) == contents(dataset.directory)
    assert sorted(contents(tmp_path)) == sorted([f"{s}.jsonl" for s in SPLITS] + ["summary.json"])


def test_another_seed_gives_other_examples(dataset, tmp_path):
    config = config_of()
    config = config.model_copy(update={"run": config.run.model_copy(update={"seed": 1})})
    generate_dataset(config, tmp_path, progress=False)
    assert contents(tmp_path)["train.jsonl"] != contents(dataset.directory)["train.jsonl"]


def test_no_problem_is_in_two_splits(dataset):
    keys = {split: [r.problem.key for r in read_problems(dataset.path(split))] for split in SPLITS}
    everything = [key for split in SPLITS for key in keys[split]]
    assert len(everything) == len(set(everything)) == dataset.num_examples == 60
    assert all(keys.values())
    for split, members in keys.items():
        if len(members) > 1:  # a split that would be empty takes one problem of its neighbour
            fractions = {"validation_fraction": 0.05, "test_fraction": 0.1}
            assert {split_of(key, **fractions) for key in members} == {split}


def test_examples_beat_uniform_sampling_and_decode_to_optimal_answers(dataset):
    for split in SPLITS:
        for record in read_problems(dataset.path(split)):
            quality = record.quality
            gain = quality["approximation_ratio"] - quality["uniform_approximation_ratio"]
            assert gain >= 0.05
            assert check_sound(record.problem) is None
            assert decoder_for(record.problem) is not None
            assert record.problem.reference_circuit.startswith("OPENQASM 3.0;")


def test_interrupted_run_continues_from_its_shards(dataset, tmp_path, monkeypatch):
    solved = []
    original = workers.solve_shard

    def interrupted(shard):
        if len(solved) == 3:
            raise KeyboardInterrupt
        solved.append(shard.path.name)
        return original(shard)

    monkeypatch.setattr(workers, "solve_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate_dataset(config_of(), tmp_path, progress=False)
    assert not (tmp_path / "summary.json").exists()

    again = []
    monkeypatch.setattr(
        workers, "solve_shard", lambda s: (again.append(s.path.name), original(s))[1]
    )
    generate_dataset(config_of(), tmp_path, progress=False)
    assert again
    assert not set(again) & set(solved)
    assert contents(tmp_path) == contents(dataset.directory)


def test_finished_dataset_is_not_made_again(dataset, monkeypatch):
    monkeypatch.setattr(workers, "solve_shard", lambda shard: pytest.fail("solved again"))
    again = generate_dataset(config_of(num_workers=2), dataset.directory, progress=False)
    assert again.reused
    assert (again.splits, again.cells) == (dataset.splits, dataset.cells)


def test_dataset_of_another_configuration_is_not_overwritten(dataset):
    with pytest.raises(InputError, match="another configuration"):
        generate_dataset(config_of(angle_decimals=3), dataset.directory, progress=False)


def test_exhausted_sizes_leave_their_share_to_others(dataset):
    """There are four connected labelled graphs of three nodes, so vertex_cover-3q has four."""
    assert dataset.cells["vertex_cover"] == {"3": 4, "4": 16}
    assert "vertex_cover-3q" in dataset.exhausted


def test_generation_ends_when_every_problem_is_used_up(tmp_path):
    config = config_of(primitives=["vertex_cover"], max_qubits=3, num_examples=50)
    summary = generate_dataset(config, tmp_path, progress=False)
    assert (summary.num_examples, summary.num_requested) == (4, 50)
    assert set(summary.splits.values()) == {1, 2}


def test_generation_ends_when_nothing_is_good_enough(tmp_path):
    config = config_of(primitives=["vertex_cover"], max_qubits=3, min_improvement=0.9)
    with pytest.raises(InputError, match="4 rejected by min_improvement"):
        generate_dataset(config, tmp_path, progress=False)


def test_unknown_primitive_is_refused_before_any_work(tmp_path):
    with pytest.raises(ProblemError, match="did you mean 'min_cut'"):
        generate_dataset(config_of(primitives=["mincut"]), tmp_path / "d", progress=False)
    assert not (tmp_path / "d").exists()


def test_primitive_without_an_instance_of_the_size_is_refused_before_any_work(tmp_path):
    config = config_of(primitives=["graph_isomorphism"])
    with pytest.raises(ProblemError, match=r"isomorphism has no instance of 3 to 4 qubits; .* 16$"):
        generate_dataset(config, tmp_path / "d", progress=False)
    assert not (tmp_path / "d").exists()


def test_only_possible_sizes_are_generated(tmp_path):
    config = config_of(primitives=["hamiltonian_path", "max_flow"], max_qubits=5, num_examples=24)
    summary = generate_dataset(config, tmp_path, progress=False)
    assert summary.cells["hamiltonian_path"].keys() == {"4"}
    assert summary.cells["max_flow"].keys() == {"3", "4", "5"}
    assert summary.num_examples == 24
    for split in SPLITS:
        for record in read_problems(summary.path(split)):
            assert record.problem.encoding == "sound"
            assert check_sound(record.problem) is None


def test_published_encoding_keeps_instances_without_a_wrong_ground_state(tmp_path):
    config = config_of(primitives=["hypermaxcut"], encoding="published", num_examples=20)
    summary = generate_dataset(config, tmp_path, progress=False)
    problems = [r.problem for split in SPLITS for r in read_problems(summary.path(split))]
    assert {problem.encoding for problem in problems} == {"published"}
    assert all(check_sound(problem, complete=False) is None for problem in problems)
    assert any(check_sound(problem) is not None for problem in problems)


def test_parquet_holds_the_same_records(dataset, tmp_path):
    summary = generate_dataset(config_of(format="parquet"), tmp_path, progress=False)
    assert read_problems(summary.path("test")) == read_problems(dataset.path("test"))


@pytest.mark.parametrize(
    ("total", "capacities", "shares"),
    [
        (10, [float("inf")] * 3, [4, 3, 3]),
        (10, [1, float("inf"), float("inf")], [1, 5, 4]),
        (10, [1, 2, 3], [1, 2, 3]),
        (10, [4, 2, 30], [4, 2, 4]),
        (0, [5], [0]),
    ],
)
def test_balanced_shares(total, capacities, shares):
    assert balanced(total, capacities) == shares
