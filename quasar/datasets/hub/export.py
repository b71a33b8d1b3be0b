"""A dataset in the layout of the Hugging Face hub: Parquet shards by split, and a dataset card."""

import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from quasar.datasets.hub.card import write_card
from quasar.datasets.hub.describe import Description, describe_dataset, split_files
from quasar.datasets.io import read_problems, write_problems
from quasar.datasets.records import ProblemRecord
from quasar.errors import InputError
from quasar.system.locks import held_directory
from quasar.system.run_paths import partial


def export_dataset(source: Path, output: Path, *, rows_per_file: int) -> Description:
    """Write output/data/SPLIT-00000-of-00003.parquet, … and output/README.md with its figures.

    `datasets.load_dataset(output)` then gives the splits. Raises InputError where `source` is no
    dataset, where `output` holds files already or where another process writes it. The shards
    appear together, when all are whole; what an interrupted call left is made anew.
    """
    with held_directory(output):
        return _export(source, output, rows_per_file=rows_per_file)


def _export(source: Path, output: Path, *, rows_per_file: int) -> Description:
    data = output / "data"
    if data.exists() and any(data.iterdir()):
        raise InputError(f"{data}: holds files already; choose another --output")
    description = describe_dataset(source, progress=True)
    making = partial(data)
    shutil.rmtree(making, ignore_errors=True)
    for split, file in split_files(source).items():
        records = read_problems(file)
        total = -(-len(records) // rows_per_file)
        for number, part in enumerate(_parts(records, rows_per_file)):
            write_problems(making / f"{split}-{number:05d}-of-{total:05d}.parquet", part)
    making.rename(data)
    patterns = {split: f"data/{split}-*.parquet" for split in description.splits}
    write_card(description, output, data_files=patterns)
    return description


def _parts(records: list[ProblemRecord], size: int) -> Iterator[list[ProblemRecord]]:
    rows = iter(records)
    while part := list(islice(rows, size)):
        yield part
