"""Checkpoints for another number of learners: DeepSpeed's ZeRO shards cut anew.

Takes a checkpoint directory as `PolicyLearner.save` leaves it; gives one in DeepSpeed's universal
layout (one file a parameter: weights, moments, step), which any number of learners loads.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quasar.errors import CheckpointError

ENGINE = "engine"  # DeepSpeed's shards within a checkpoint
UNIVERSAL = "universal"
_WHOLE = "mp_rank_00_model_states.pt"  # there where parameters are not sharded: ZeRO 1 and 2
_WORKERS = "4"


def num_saved(checkpoint: Path) -> int:
    """Learners that wrote a checkpoint; CheckpointError where the directory is none."""
    shards = list((checkpoint / ENGINE).glob("*optim_states.pt"))
    if not shards:
        raise CheckpointError(f"{checkpoint}: holds no learner checkpoint")
    return len(shards)


def require_stage(checkpoint: Path, zero_stage: int) -> None:
    """CheckpointError where the parameters were sharded and are no longer, or the other way."""
    whole = (checkpoint / ENGINE / _WHOLE).is_file()
    if whole == (zero_stage == 3):
        written = "1 or 2" if whole else "3"
        raise CheckpointError(
            f"{checkpoint}: written with ZeRO stage {written}, this run has {zero_stage}; set "
            f"learner.zero_stage={written}, or start from its huggingface/ directory"
        )


@contextmanager
def universal(checkpoint: Path) -> Iterator[Path]:
    """A directory beside the shards with the same in the universal layout; gone afterwards.

    Takes as much of the disk as the shards, for a while twice. Raises CheckpointError.
    """
    place = checkpoint / "universal.partial"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    command = [sys.executable, "-m", "deepspeed.checkpoint.ds_to_universal"]
    command += ["--input_folder", str(checkpoint / ENGINE)]
    command += ["--output_folder", str(place / UNIVERSAL)]
    command += ["--num_extract_workers", _WORKERS, "--num_merge_workers", _WORKERS]
    command += ["--inject_missing_state"]
    try:
        # On the CPU whatever the learners run on: it only moves files.
        environment = os.environ | {"DS_ACCELERATOR": "cpu"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise CheckpointError(
                f"{checkpoint}: its shards cannot be cut anew ({reason}); set "
                f"learner.num_learners={num_saved(checkpoint)}, or free disk space there"
            )
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
