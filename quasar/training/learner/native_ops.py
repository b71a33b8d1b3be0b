"""DeepSpeed's CPU communication op: compiled at first use, safely.

PyTorch guards such a build with a plain lock file. A process that is killed while it holds it
leaves the file behind, and every later run on the machine waits for it for ever. Here builds go
through a lock that the kernel releases with its holder; whoever holds it clears a leftover file.
"""

import fcntl
import os
import sys
from pathlib import Path
from typing import Any

from torch.utils.cpp_extension import _get_build_directory

_OP = "deepspeed_shm_comm"


def load_cpu_communication_op() -> None:
    """Build (once a machine, one to two minutes) and load the op into this process."""
    _build_inside_environment()
    directory = Path(_get_build_directory(_OP, False))
    with open(directory / "quasar.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        (directory / "lock").unlink(missing_ok=True)
        from deepspeed.accelerator import get_accelerator

        accelerator: Any = get_accelerator()
        accelerator.create_op_builder("ShareMemCommBuilder").load(verbose=False)


def _build_inside_environment() -> None:
    """Build with the environment's tools and, where that is writable, into the environment."""
    place = Path(sys.prefix) / "torch_extensions"
    if os.access(sys.prefix, os.W_OK):
        os.environ.setdefault("TORCH_EXTENSIONS_DIR", str(place))
    # Always the environment's ninja: another version takes what this one built for outdated.
    tools = str(Path(sys.prefix) / "bin")
    if os.environ.get("PATH", "").split(os.pathsep)[0] != tools:
        os.environ["PATH"] = os.pathsep.join((tools, os.environ.get("PATH", "")))


if __name__ == "__main__":
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    load_cpu_communication_op()
