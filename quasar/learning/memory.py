"""What a run takes of memory: resident bytes of a process, and the use of Ray's object store."""

import psutil
import ray
from ray._private.internal_api import get_memory_info_reply, get_state_from_address


def rss_bytes() -> int:
    """Resident memory of this process."""
    return psutil.Process().memory_info().rss


def object_store_bytes() -> int:
    """Bytes that objects take in the stores of all nodes now. Ray must be up."""
    state = get_state_from_address(ray.get_runtime_context().gcs_address)
    return get_memory_info_reply(state).store_stats.object_store_bytes_used
