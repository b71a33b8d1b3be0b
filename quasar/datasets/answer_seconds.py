"""What the answers of a generation file took, in a file of its own beside it.

`NAME.seconds.json` beside `NAME.jsonl`: the digest of the file that it was measured for, and for
each sample_index the seconds of all its answers. So the generations stay the same whenever they are
made.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from quasar.datasets.io import write_text
from quasar.errors import InputError
from quasar.system.resumable import file_digest


def seconds_file(generations: Path) -> Path:
    """Where the seconds of a generation file are."""
    return generations.with_name(f"{generations.stem}.seconds.json")


def write_seconds(generations: Path, seconds: Mapping[int, float]) -> None:
    """Keep what was measured. generations: the whole file. seconds: by sample_index, > 0, of all
    answers to that problem together.
    """
    content = {
        "generations": file_digest(generations),
        "seconds": {str(index): round(value, 6) for index, value in seconds.items()},
    }
    write_text(seconds_file(generations), json.dumps(content) + "\n")


def read_seconds(generations: Path) -> dict[int, float]:
    """Seconds of all answers to a problem, by sample_index; empty where none were measured for
    these contents. Raises InputError where the file is not one of `write_seconds`.
    """
    path = seconds_file(generations)
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
        seconds = {int(index): float(value) for index, value in content["seconds"].items()}
        digest = content["generations"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: not the seconds of a generation file ({error!r}); delete it"
        ) from error
    return seconds if digest == file_digest(generations) else {}
