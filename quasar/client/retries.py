"""When a call is made again: after how long, how often, and until when.

Made again are calls that nothing answered (the connection) and those answered 429, 502 or 503: no
call changes anything at the endpoint, so it does no harm that one may have been worked on. Not
504: there the endpoint has spent its whole time on the request and would spend it again.
"""

import logging
import time
from collections.abc import Callable

import httpx

from quasar.client.errors import EndpointError, EndpointUnavailable, RateLimited, out_of_time
from quasar.system.backoff import MAX_RETRY_AFTER_S, backoff_s

logger = logging.getLogger(__name__)

CONNECT_S = 10.0
SILENCE_S = 60.0  # of a stream, whose endpoint sends a comment every 15 seconds


class Attempts:
    """The attempts of one call, which together take at most `timeout_s` seconds."""

    def __init__(
        self,
        *,
        url: str,
        timeout_s: float,
        max_retries: int,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._url = url
        self._timeout_s = timeout_s
        self._max_retries = max_retries
        self._clock = clock
        self._deadline = clock() + timeout_s
        self._made = 0

    def next_timeouts(self, *, streams: bool) -> httpx.Timeout:
        """Begin an attempt: the longest times that its parts may take.

        Raises EndpointTimeout where no time is left.
        """
        left = self.check()
        self._made += 1
        silence = min(left, SILENCE_S) if streams else left
        return httpx.Timeout(left, connect=min(left, CONNECT_S), read=silence)

    def check(self) -> float:
        """Seconds that are left. Raises EndpointTimeout where none are."""
        left = self._deadline - self._clock()
        if left <= 0.0:
            error = out_of_time(self._timeout_s, url=self._url)
            error.attempts = self._made
            raise error
        return left

    def silent(self, *, streams: bool) -> EndpointError:
        """The error of a connection on which nothing came for the longest time that it may."""
        if streams and self._clock() < self._deadline:
            return out_of_time(SILENCE_S, url=self._url)
        return out_of_time(self._timeout_s, url=self._url)

    def after(self, error: EndpointError, *, begun: bool) -> float:
        """Seconds to wait before the next attempt; raises the error where there is none.

        begun: the caller has been given a part of the answer.
        """
        error.attempts = self._made
        retry = self._made - 1
        if begun or retry >= self._max_retries:
            raise error
        if not isinstance(error, RateLimited | EndpointUnavailable):
            raise error
        wait = backoff_s(retry)
        if error.retry_after_s is not None:
            if error.retry_after_s > MAX_RETRY_AFTER_S:
                raise error
            # beside the jitter of the first retry, so that callers do not come back all at once
            wait = error.retry_after_s + backoff_s(0)
        if self._clock() + wait >= self._deadline:
            raise error
        logger.info("%s; asked again in %.1f s", error.message, wait)
        return wait
