"""The result file of `quasar bench`: one JSON object, checked when it is read.

It holds the answers themselves: whoever has the file can verify each again (`quasar bench
--submit`).
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quasar.config.findings import finding_line
from quasar.datasets.io import write_text
from quasar.errors import InputError
from quasar.evaluation.bench.scoring import Score

FORMAT: Literal["quasar-bench-1"] = "quasar-bench-1"
_MOST_TEXT = 200_000  # characters of an answer


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FigureRow(_Part):
    """A mean over `num_problems` problems with its 95 % bootstrap interval; null: not defined."""

    value: float | None
    low: float | None
    high: float | None
    num_problems: int = Field(ge=0)


class BenchRow(_Part):
    """One row of the table: figures by name, and the answers that they rest on."""

    figures: dict[str, FigureRow]
    num_problems: int = Field(ge=1)
    num_answers: int = Field(ge=1)
    num_failed: int = Field(ge=0, description="answers whose verification failed itself")

    @classmethod
    def of(cls, score: Score) -> "BenchRow":
        """The row of a score."""
        figures = {
            name: FigureRow(value=f.value, low=f.low, high=f.high, num_problems=f.num_problems)
            for name, f in score.figures.items()
        }
        return cls(
            figures=figures,
            num_problems=score.num_problems,
            num_answers=score.num_answers,
            num_failed=score.num_failed,
        )


class BenchModel(_Part):
    """What answered. kind: checkpoint, endpoint or baseline; digest: of a checkpoint's files."""

    kind: Literal["checkpoint", "endpoint", "baseline"]
    name: str = Field(max_length=500)
    digest: str | None = None


class TokensTaken(_Part):
    """Of a model behind a server, as the server counts; cost in the currency of the prices."""

    read: int = Field(ge=0)
    written: int = Field(ge=0)
    requests: int = Field(ge=0)
    cost: float | None = None


class SetResult(_Part):
    """One set: the model's row, the rows beside it, the published ones, and all answers."""

    set: str
    digest: str = Field(pattern=r"^[0-9a-f]{16}$", description="of the set's problems")
    num_problems: int = Field(ge=1)
    row: BenchRow
    baselines: dict[str, BenchRow]
    as_published: dict[str, dict[str, float]] | None = None
    usage: TokensTaken | None = None
    answers: dict[int, list[str]] = Field(description="sample_index -> the answers, as written")


class BenchResult(_Part):
    """The whole file. settings: what the answers were drawn with."""

    format: Literal["quasar-bench-1"] = FORMAT
    quasar: str
    model: BenchModel
    samples: int = Field(ge=1)
    settings: dict[str, Any]
    sets: list[SetResult] = Field(min_length=1)


def write_result(path: Path, result: BenchResult) -> None:
    """Write the file in one step."""
    write_text(path, result.model_dump_json(indent=1) + "\n")


def read_result(path: Path) -> BenchResult:
    """The file. Raises InputError in one line where it is missing or not a result."""
    try:
        found = BenchResult.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a directory; name the result file in it") from None
    except ValidationError as error:
        first = error.errors()[0]
        told = finding_line(".".join(map(str, first["loc"])), first)
        raise InputError(f"{path}: not a result of quasar bench: {told}") from None
    names = [entry.set for entry in found.sets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: set {twice} is there twice")
    for entry in found.sets:
        for index, texts in entry.answers.items():
            if any(len(text) > _MOST_TEXT for text in texts):
                raise InputError(
                    f"{path}: set {entry.set}: an answer to sample_index {index} is longer than "
                    f"{_MOST_TEXT} characters"
                )
    return found


def schema_text() -> str:
    """The JSON schema of the file."""
    return json.dumps(BenchResult.model_json_schema(), indent=1)
