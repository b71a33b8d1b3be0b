"""Datasets of tasks other than graph problems."""

import json
import re

import pytest

from quasar.config import load_config
from quasar.datasets.generation.generate import SPLITS, generate_dataset, split_of
from quasar.datasets.io import read_problems, read_records
from quasar.errors import ConfigError, InputError
from quasar.tasks import get_task
from quasar.tasks.base import task_of


def config_of(*overrides):
    return load_config(
        "laptop",
        [
            "dataset.tasks=[state_preparation,stabiliser]",
            "dataset.num_examples=24",
            "dataset.min_qubits=2",
            "dataset.max_qubits=3",
            "dataset.num_workers=1",
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
    records = {split: read_records(summary.path(split)) for split in SPLITS}
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
    assert kept["mean_quality"]["stabiliser/exact"] == 1.0
    assert any(cell.startswith("stabiliser/") for cell in kept["cells"])


def test_parquet_keeps_the_rows(tmp_path):
    small = ("dataset.tasks=[stabiliser]", "dataset.num_examples=12")
    plain = generate_dataset(config_of(*small), tmp_path / "jsonl", progress=False)
    other = config_of(*small, "dataset.format=parquet")
    parquet = generate_dataset(other, tmp_path / "parquet", progress=False)
    for split in SPLITS:
        assert read_records(plain.path(split)) == read_records(parquet.path(split))


def test_another_seed_gives_other_instances(tmp_path):
    small = ("dataset.tasks=[state_preparation]", "dataset.num_examples=12")
    generate_dataset(config_of(*small), tmp_path / "a", progress=False)
    generate_dataset(config_of(*small, "run.seed=1"), tmp_path / "b", progress=False)
    assert contents(tmp_path / "a")["train.jsonl"] != contents(tmp_path / "b")["train.jsonl"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dataset.tasks=[ground_stat]", "unknown task 'ground_stat'"),
        ("dataset.instances=[stabiliser:4-2]", "qubits of stabiliser must ascend"),
        (
            "dataset.instances=[ground_state:2]",
            "'ground_state:2' must name a task of dataset.tasks",
        ),
        ("dataset.instances=[stabiliser/]", "'stabiliser/' is not TASK"),
        ("dataset.tasks=[stabiliser,stabiliser]", "named twice"),
    ],
)
def test_tasks_that_cannot_be_are_refused(override, message):
    with pytest.raises(ConfigError, match=message):
        config_of(override)


def test_a_size_that_no_family_has_is_refused(tmp_path):
    config = config_of(
        "dataset.tasks=[state_preparation]", "dataset.min_qubits=13", "dataset.max_qubits=14"
    )
    with pytest.raises(InputError, match="state_preparation has no instances of 13 to 14 qubits"):
        generate_dataset(config, tmp_path, progress=False)


def test_a_family_that_a_task_does_not_have_is_refused(tmp_path):
    config = config_of("dataset.instances=[stabiliser/stean:7]")
    with pytest.raises(InputError, match="stabiliser has no family 'stean'; valid: clifford"):
        generate_dataset(config, tmp_path, progress=False)


def test_graph_problems_share_a_dataset_with_others(tmp_path):
    """Each has its share, the instances are those named, and angles have the decimals asked for."""
    config = config_of(
        "dataset.tasks=[ising,ground_state,state_preparation]",
        "dataset.primitives=[max_cut]",
        "dataset.instances=[ground_state/tfim_chain:2,state_preparation/w:3,state_preparation/bell:2]",
        "dataset.max_qubits=4",
    )
    summary = generate_dataset(config, tmp_path, progress=False)
    records = [record for split in SPLITS for record in read_records(summary.path(split))]
    assert [r.sample_index for r in sorted(records, key=lambda r: r.sample_index)] == [
        *range(len(records))
    ]
    tasks = [task_of(record.problem) for record in records]
    assert tasks.count("ising") == tasks.count("ground_state") == 8
    kinds = {
        (r.problem.primitive, r.problem.num_qubits)
        for r in records
        if task_of(r.problem) != "ising"
    }
    assert kinds <= {("tfim_chain", 2), ("w", 3), ("bell", 2)}
    assert summary.cells["ground_state/tfim_chain"] == {"2": 8}
    assert summary.mean_quality["ground_state/energy"] > 0.99
    angles = [
        a
        for r in records
        if task_of(r.problem) == "ground_state"
        for a in re.findall(r"\((-?[0-9.]+)\)", r.problem.reference_circuit)
    ]
    assert angles
    assert all(len(angle.partition(".")[2]) <= 2 for angle in angles)
    with pytest.raises(InputError, match=r"line \d+: field 'task' is"):
        read_problems(summary.path("train"))
