"""Parts of the client that need no endpoint: waits, Retry-After, lines of events."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.client.errors import EndpointError, EndpointUnavailable
from quasar.client.readings import EventLines
from quasar.client.retries import Attempts
from quasar.system.backoff import (
    FIRST_BACKOFF_S,
    MAX_BACKOFF_S,
    MAX_RETRY_AFTER_S,
    backoff_s,
    retry_after_s,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@given(st.integers(0, 1000))
def test_a_backoff_is_within_its_bounds(retry):
    highest = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2**retry)
    assert 0.0 <= backoff_s(retry) <= highest
    assert backoff_s(retry, uniform=lambda low, high: low) == 0.0  # full jitter
    assert backoff_s(retry, uniform=lambda low, high: high) == highest


@given(
    st.integers(0, 20),
    st.floats(0.01, 300.0),
    st.lists(st.none() | st.floats(0.0, 2 * MAX_RETRY_AFTER_S), max_size=30),
)
def test_attempts_stay_within_their_number_and_time(max_retries, timeout_s, asked):
    now = 0.0
    attempts = Attempts(
        url="http://x", timeout_s=timeout_s, max_retries=max_retries, clock=lambda: now
    )
    made, ended = 0, None
    for seconds in [*asked, *[None] * 30]:
        error = EndpointUnavailable("busy", "wait", retry_after_s=seconds)
        try:
            times = attempts.next_timeouts(streams=False)
            made += 1
            wait = attempts.after(error, begun=False)
        except EndpointError as raised:
            ended = raised
            break
        assert 0.0 < times.read <= timeout_s - now
        assert wait >= (seconds or 0.0)
        assert wait <= max(MAX_BACKOFF_S, (seconds or 0.0) + FIRST_BACKOFF_S)
        now += wait
        assert now < timeout_s
    assert ended is error
    assert ended.attempts == made
    assert 1 <= made <= max_retries + 1


@given(st.integers(0, 10**9))
def test_retry_after_in_seconds_and_as_a_date(seconds):
    assert retry_after_s(f" {seconds} ") == seconds
    seconds %= 10**8
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after_s(date, now=NOW) == seconds
    assert retry_after_s(date, now=NOW + timedelta(seconds=seconds + 1)) == 0.0


@given(st.text())
def test_any_other_retry_after_is_none_or_seconds(text):
    found = retry_after_s(text, now=NOW)
    assert found is None or found >= 0.0


@pytest.mark.parametrize("value", [None, "", "soon", "-3", "1.5", "Fri, 99 Foo 2026"])
def test_a_retry_after_that_cannot_be_read(value):
    assert retry_after_s(value) is None


@given(
    st.lists(st.tuples(st.sampled_from(["start", "answer", ""]), st.text())),
    st.lists(st.integers(0, 400)),
    st.sampled_from(["\n", "\r\n"]),
)
def test_events_do_not_depend_on_the_pieces_they_come_in(shown, cuts, end):
    text = f": waiting{end}{end}"
    for name, data in shown:
        head = f"event: {name}{end}" if name else ""
        text += f"{head}data: {json.dumps(data, ensure_ascii=False)}{end}{end}"
    body = text.encode()
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    lines = EventLines()
    found = []
    for start, stop in pairwise(places):
        found += lines.feed(body[start:stop])
    assert [(name, json.loads(data)) for name, data in found] == shown
    assert lines.pending_bytes == 0
