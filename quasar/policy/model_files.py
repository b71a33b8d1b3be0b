"""Whether a directory holds the files of a language model: looked at, not loaded.

A stranger's directory goes wrong in ways that the libraries answer with tracebacks of their own, or
late: a pointer where Git LFS fetched no file, a download that was cut off, an adapter, another
program's format. Each is refused in one line that names the file.
"""

import json
import zipfile
from pathlib import Path

from safetensors import SafetensorError, safe_open

from quasar.errors import CheckpointError

WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # as transformers looks for them, in order
_POINTER = b"version https://git-lfs"
_LAYOUT = "give a directory in Hugging Face layout, e.g. runs/<name>/model/final"
_PICKLE = b"\x80"  # torch files from before 1.6


def require_model_files(source: str | Path) -> None:
    """Raises CheckpointError in one line where `source` is a path and its files are no model's.

    Headers only are read. Hub names pass: what is downloaded is checked by its hash.
    """
    path = Path(source)
    if path.is_file():
        if path.suffix == ".gguf":
            raise CheckpointError(
                f"{source}: a GGUF file, not a model directory; docs/how-to/small-llm.md says how "
                "to make one of it"
            )
        raise CheckpointError(f"{source}: a file, not a model directory; {_LAYOUT}")
    if not path.exists():
        if str(source).count("/") != 1 or str(source).startswith(("/", ".", "~")):
            raise CheckpointError(f"{source}: no such model directory")
        return
    names = {p.name for p in path.iterdir()}
    if "adapter_config.json" in names:
        raise CheckpointError(
            f"{source}: holds LoRA adapters, not a whole model; merge them into their base model "
            "(peft: merge_and_unload), or give the huggingface/ directory beside adapter/"
        )
    if "config.json" not in names:
        other = next((f" but {n}" for n in sorted(names) if n.endswith((".gguf", ".pth"))), "")
        raise CheckpointError(f"{source}: not a model directory (no config.json{other}); {_LAYOUT}")
    for file in sorted(p for p in path.iterdir() if p.is_file()):
        _require_content(file)
    for name in WEIGHTS:
        if name in names:
            _require_tensors(path / name)
            return
        if f"{name}.index.json" in names:
            _require_shards(path / f"{name}.index.json")
            return
    found = sorted(n for n in names if n.endswith((".gguf", ".h5", ".msgpack", ".bin", ".pth")))
    raise CheckpointError(
        f"{source}: no weights ({' or '.join(WEIGHTS)}, or the index of their shards)"
        + (f"; {', '.join(found)} cannot be read" if found else "")
    )


def _require_content(file: Path) -> None:
    try:
        with open(file, "rb") as opened:
            head = opened.read(len(_POINTER))
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror})") from error
    if head == _POINTER:
        raise CheckpointError(
            f"{file}: a Git LFS pointer, not the file itself; fetch it: git lfs pull"
        )
    if not head and file.suffix in (".json", ".safetensors", ".bin", ".model"):
        raise CheckpointError(f"{file}: empty; fetch it again")


def _require_tensors(file: Path) -> set[str] | None:
    """Names of the tensors of a safetensors file; None of a torch file, whose end is looked at."""
    if not file.is_file():
        raise CheckpointError(f"{file}: a link to nothing; fetch it again")
    _require_content(file)
    if file.suffix != ".safetensors":
        with open(file, "rb") as opened:
            old = opened.read(1) == _PICKLE
        if not old and not zipfile.is_zipfile(file):
            raise CheckpointError(f"{file}: no torch file, or cut off; fetch it again")
        return None
    try:
        with safe_open(file, framework="pt") as opened:
            return set(opened.keys())
    except SafetensorError as error:
        raise CheckpointError(
            f"{file}: no safetensors file, or cut off ({error}); fetch it again"
        ) from error


def _require_shards(index: Path) -> None:
    try:
        places = json.loads(index.read_text("utf-8"))["weight_map"]
        shards = sorted(set(places.values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index}: not an index of shards; fetch it again") from error
    for shard in shards:
        if not (index.parent / shard).exists():
            raise CheckpointError(f"{index.parent}: {shard} is missing, which {index.name} names")
        there = _require_tensors(index.parent / shard)
        named = {name for name, place in places.items() if place == shard}
        if there is not None and (lost := sorted(named - there)):
            raise CheckpointError(
                f"{index.parent / shard}: holds no {lost[0]}, which {index.name} places there"
            )
