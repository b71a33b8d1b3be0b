"""When a solver has to stop, with the best that it has met."""

import time


class Deadline:
    """A point in the time of the processor that this process has used, all its threads together:
    how busy the machine is moves it little.
    """

    def __init__(self, seconds: float | None = None):
        """seconds: from now on, ≥ 0; None: it never comes."""
        self._at = None if seconds is None else time.process_time() + seconds

    @property
    def is_set(self) -> bool:
        """Whether it ever comes."""
        return self._at is not None

    @property
    def is_over(self) -> bool:
        """Whether it has come."""
        return self._at is not None and time.process_time() >= self._at


NEVER = Deadline()
