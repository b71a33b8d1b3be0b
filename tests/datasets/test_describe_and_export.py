"""What a dataset is said to hold, its card, the hub layout, and the published raw format."""

import json

import pyarrow.parquet as pq
import pytest
import yaml

from quasar.cli.main import main
from quasar.config import load_config
from quasar.datasets.generation.generate import generate_dataset
from quasar.datasets.hub.describe import describe_dataset
from quasar.datasets.hub.export import export_dataset
from quasar.datasets.hub.importer import import_published
from quasar.datasets.io import read_problems, write_problems
from quasar.errors import InputError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    directory = tmp_path_factory.mktemp("data")
    settings = {
        "num_examples": 40,
        "max_qubits": 4,
        "num_workers": 1,
        "ansatze": ["qaoa", "ma_qaoa", "hardware_efficient", "adaptive"],
        "layers": [1, 2],
        "encoding": "sound",
    }
    config = load_config("laptop", [f"dataset.{k}={json.dumps(v)}" for k, v in settings.items()])
    generate_dataset(config, directory, progress=False)
    return directory


def test_description_counts_every_row_and_finds_no_fault(dataset):
    found = describe_dataset(dataset)
    assert found.everything.rows == found.splits.total() == 40
    assert sum(group.rows for group in found.primitives.values()) == 40
    assert {"qaoa", "ma_qaoa", "adaptive"} <= found.families.keys()
    assert any(name.startswith("sim_") for name in found.families)
    assert found.is_clean
    assert found.duplicates == 0
    recorded = json.loads((dataset / "summary.json").read_text())
    mean = sum(found.everything.approximation_ratios) / 40
    assert mean == pytest.approx(recorded["mean_quality"]["approximation_ratio"], abs=1e-6)
    assert recorded["ansatze"] == {name: g.rows for name, g in sorted(found.families.items())}


def test_a_leak_and_a_wrong_hamiltonian_are_found(dataset, tmp_path, capsys):
    train = [json.loads(line) for line in (dataset / "train.jsonl").read_text().splitlines()]
    right = train.pop()
    wrong = right | {"cost_hamiltonian": right["cost_hamiltonian"].replace("0.", "0.7", 1)}
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(r) + "\n" for r in train))
    (tmp_path / "test.jsonl").write_text(json.dumps(train[0]) + "\n" + json.dumps(wrong) + "\n")
    found = describe_dataset(tmp_path)
    assert found.shared_problems == 1
    assert len(found.unsound) == 1
    assert main(["dataset", "describe", str(tmp_path)]) == 1
    assert "problems in two splits: 1" in capsys.readouterr().out


def test_export_is_the_hub_layout_and_reads_back(dataset, tmp_path):
    hub = tmp_path / "hub"
    export_dataset(dataset, hub, rows_per_file=15)
    names = sorted(path.name for path in (hub / "data").iterdir())
    number = len(read_problems(dataset / "train.jsonl"))
    total = -(-number // 15)
    assert [n for n in names if n.startswith("train")] == [
        f"train-{i:05d}-of-{total:05d}.parquet" for i in range(total)
    ]
    back = [r for n in names if n.startswith("train") for r in read_problems(hub / "data" / n)]
    assert [r.to_dict() for r in back] == [
        r.to_dict() for r in read_problems(dataset / "train.jsonl")
    ]
    _, front, text = (hub / "README.md").read_text().split("---\n", 2)
    splits = yaml.safe_load(front)["configs"][0]["data_files"]
    assert {entry["split"] for entry in splits} == {"train", "validation", "test"}
    for entry in splits:
        assert list(hub.glob(entry["path"]))
    assert "Problems in more than one split: 0." in text
    for figure in ("quality.svg", "sizes.svg"):
        assert f"({figure})" in text
        assert (hub / figure).is_file()
    with pytest.raises(InputError, match="holds files already"):
        export_dataset(dataset, hub, rows_per_file=15)


def test_parquet_columns_keep_their_types_when_the_first_rows_are_empty(dataset, tmp_path):
    records = read_problems(dataset / "train.jsonl")
    write_problems(tmp_path / "p.parquet", records)
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.num_rows == len(records)
    assert str(table.schema.field("problem_specific_attributes").type) == "string"


def raw_record(record, **other):
    """A row as the published generator writes it."""
    row = record.to_dict()
    return {
        "problem_type": row["problem_type"],
        "optimization_type": "vqe",
        "signature": "0123",
        "graph": json.dumps(row["graph"]),
        "cost_hamiltonian": row["cost_hamiltonian"],
        "number_of_qubits": row["n_qubits"],
        "number_of_layers": 3,
        "ansatz_id": 7,
        "exact_solution": json.dumps({"smallest_eigenvalues": [-1.0]}),
        "solution": json.dumps({"optimization_time": 2.5}),
        "circuit_with_params": row["reference_circuit"],
        "problem_specific_attributes": row["problem_specific_attributes"],
        **other,
    }


def test_raw_records_become_problems(dataset, tmp_path, caplog):
    records = read_problems(dataset / "train.jsonl")[:3]
    raw = tmp_path / "raw"
    raw.mkdir()
    for i, record in enumerate(records):
        (raw / f"{i}.json").write_text(json.dumps(raw_record(record)))
    (raw / "9.json").write_text(json.dumps({"problem_type": "vertex_cover"}))
    assert import_published(raw, tmp_path / "out.jsonl") == (3, 1)
    assert "9.json record 0 is left out" in caplog.text
    for number, (got, wanted) in enumerate(
        zip(read_problems(tmp_path / "out.jsonl"), records, strict=True)
    ):
        assert got.sample_index == number
        assert got.problem.key == wanted.problem.key
        assert got.problem.reference_circuit == wanted.problem.reference_circuit
        assert (got.optimization_type, got.ansatz, got.n_layers) == ("vqe", "sim_7", 3)
        assert got.extras["solution"] == {"optimization_time": 2.5}


def test_lists_of_results_become_problems(dataset, tmp_path):
    record = read_problems(dataset / "train.jsonl")[0]
    metrics = raw_record(record) | {"optimal_circuit": record.problem.reference_circuit}
    metrics["n_qubits"] = metrics.pop("number_of_qubits")
    del metrics["circuit_with_params"], metrics["ansatz_id"]
    result = {"sample_index": 17, "generated_circuit": "x", "dataset_metrics": metrics}
    (tmp_path / "results.json").write_text(json.dumps([result]))
    assert import_published(tmp_path / "results.json", tmp_path / "out.parquet") == (1, 0)
    (got,) = read_problems(tmp_path / "out.parquet")
    assert (got.sample_index, got.ansatz) == (17, "vqe")
    assert got.problem.key == record.problem.key


@pytest.mark.parametrize(
    ("content", "words"),
    [("[{}]", "no published problem records"), ("{", "cannot be read as JSON")],
)
def test_what_is_no_published_data_is_refused_in_one_line(tmp_path, capsys, content, words):
    source = tmp_path / "x.json"
    source.write_text(content)
    assert main(["dataset", "import", str(source), "--output", str(tmp_path / "o.jsonl")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "o.jsonl").exists()


def test_a_directory_without_a_dataset_is_refused(tmp_path, capsys):
    assert main(["dataset", "describe", str(tmp_path)]) == 2
    assert "no dataset" in capsys.readouterr().err
