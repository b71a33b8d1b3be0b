"""What a run takes of memory: resident bytes of a process, and the use of Ray's object store."""

import grpc
import psutil
import ray
from ray._private.internal_api import get_memory_info_reply, get_state_from_address


def rss_bytes() -> int:
    """Resident memory of this process."""
    return psutil.Process().memory_info().rss


def object_store_bytes() -> int | None:
    """Bytes that objects take in the stores of all nodes now. Ray must be up.

    None where that cannot be told: a node that has just died is asked as if it were alive until
    Ray has noticed, and a figure must not end a run that goes on without the node.
    """
    state = get_state_from_address(ray.get_runtime_context().gcs_address)
    try:
        return get_memory_info_reply(state).store_stats.object_store_bytes_used
    except grpc.RpcError:
        return None
