"""Python's cyclic garbage collector, where a process reads or makes very many objects at once."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Reports and rollouts hold no cycles, but come so fast that the cyclic garbage collector would
    walk the whole process again and again: up to five times the cost of reading them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
