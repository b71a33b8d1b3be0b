"""Datasets of tasks other than graph problems."""

import json

import pytest

from quasar.config import load_config
from quasar.datasets.generation.generate import SPLITS, generate_dataset, split_of
from quasar.datasets.io import read_problems, read_task_records
from quasar.errors import ConfigError, InputError
from quasar.tasks import get_task


def config_of(*overrides):
    return load_config(
        "laptop",
        [
            "dataset.tasks=[state_preparation,stabiliser]",
            "dataset.num_examples=24",
            "dataset.min_qubits=2",
            "dataset.max_qubits=3",
            *overrides,
        ],
    )


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.glob("[!.]*")}


def test_tasks_share_a_dataset_and_the_key_decides_the_split(tmp_path):
    summary = generate_dataset(config_of(), tmp_path / "a", progress=False)
    generate_dataset(config_of(), tmp_path / "b", progress=False)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert generate_dataset(config_of(), tmp_path / "a", progress=False).reused
    records = {split: read_task_records(summary.path(split)) for split in SPLITS}
    everything = [record for split in SPLITS for record in records[split]]
    assert len({record.problem.key for record in everything}) == len(everything) == 24
    tasks = [record.problem.task for record in everything]
    assert tasks.count("state_preparation") == tasks.count("stabiliser") == 12
    for split in SPLITS:
        if len(records[split]) > 1:
            places = {
                split_of(r.problem.key, validation_fraction=0.05, test_fraction=0.1)
                for r in records[split]
            }
            assert places == {split}
    for record in everything:
        task = get_task(record.problem.task)
        facts = task.facts(record.problem)
        circuit = task.read_program(record.problem.reference_circuit, record.problem, None)
        signals = task.grade(record.problem, circuit, facts)
        assert signals.success
        assert record.extras["parts"] == pytest.approx(signals.parts, abs=1e-5)
    with pytest.raises(InputError, match=r"line 1: field 'task' is"):
        read_problems(summary.path("train"))
    kept = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert kept["mean_quality"]["exact"] == 1.0
    assert any(cell.startswith("stabiliser/") for cell in kept["cells"])


def test_parquet_keeps_the_rows(tmp_path):
    small = ("dataset.tasks=[stabiliser]", "dataset.num_examples=12")
    plain = generate_dataset(config_of(*small), tmp_path / "jsonl", progress=False)
    other = config_of(*small, "dataset.format=parquet")
    parquet = generate_dataset(other, tmp_path / "parquet", progress=False)
    for split in SPLITS:
        assert read_task_records(plain.path(split)) == read_task_records(parquet.path(split))


def test_another_seed_gives_other_instances(tmp_path):
    small = ("dataset.tasks=[state_preparation]", "dataset.num_examples=12")
    generate_dataset(config_of(*small), tmp_path / "a", progress=False)
    generate_dataset(config_of(*small, "run.seed=1"), tmp_path / "b", progress=False)
    assert contents(tmp_path / "a")["train.jsonl"] != contents(tmp_path / "b")["train.jsonl"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dataset.tasks=[ground_stat]", "unknown task 'ground_stat'"),
        ("dataset.tasks=[ising,stabiliser]", "goes into a dataset of its own"),
        ("dataset.tasks=[stabiliser,stabiliser]", "named twice"),
    ],
)
def test_tasks_that_cannot_be_are_refused(override, message):
    with pytest.raises(ConfigError, match=message):
        config_of(override)


def test_a_size_that_no_family_has_is_refused(tmp_path):
    config = config_of(
        "dataset.tasks=[ground_state]", "dataset.min_qubits=15", "dataset.max_qubits=16"
    )
    with pytest.raises(InputError, match="ground_state has no instances of 15 to 16 qubits"):
        generate_dataset(config, tmp_path, progress=False)
