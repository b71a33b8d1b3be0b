"""Hostile callers against the application under uvicorn: real sockets, real verifier."""

import asyncio
import json
import socket
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import schemathesis
from endpoint import BODY, GOOD, Endpoint, running, written
from hypothesis import HealthCheck, settings

from tests.support.machine import scaled

sys.path.insert(0, str(Path(__file__).parents[1] / "verification"))
from hostile import CASES

OPTIONS = ("serving.body_timeout_s=0.5", "serving.max_body_bytes=400000")
HEAD = (
    b"POST /v1/circuits HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100\r\n\r\n"
)


def exchange(address, data: bytes) -> bytes:
    """All that comes back until the connection closes or is silent."""
    with socket.create_connection(address, timeout=scaled(5)) as line:
        line.sendall(data)
        received = b""
        try:
            while part := line.recv(65536):
                received += part
                if b'"hint"' in received or b"Invalid HTTP" in received:
                    break
        except TimeoutError:
            pass
    return received


@pytest.fixture(scope="module")
def address():
    with running(Endpoint([GOOD], *OPTIONS).api) as address:
        yield address


def test_a_slow_body_is_given_up(address):
    started = time.perf_counter()
    answer = exchange(address, HEAD + b'{"pro')
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"0.5 seconds" in answer
    assert time.perf_counter() - started < scaled(4)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (HEAD.replace(b"100", b"99999999") + b"x", b"413"),
        (HEAD.replace(b"100", b"-1"), b"400"),
        (HEAD.replace(b"100", b"2") + b"{]", b"400"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: t\r\n\r\n", b"404"),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: t\r\n\r\n", b"404"),
        (b"GET /docs/..%5c..%00 HTTP/1.1\r\nHost: t\r\n\r\n", b"404"),
        (b"\x16\x03\x01\x02\x00 not http\r\n\r\n", b"400"),
    ],
    ids=["too large", "length below 0", "malformed", "path", "encoded", "nul", "no http"],
)
def test_malformed_requests_are_refused(address, data, status):
    answer = exchange(address, data)
    assert answer.split(b" ")[1] == status
    assert b"Traceback" not in answer


def test_deep_and_odd_json_is_refused(address):
    url = f"http://{address[0]}:{address[1]}/v1/circuits"
    bodies = [b"[" * 100_000, b'{"a":' * 50_000, b'"\\ud800"', b"NaN", b"1e999", b"\x00"]
    bodies.append(b'{"problem": {"primitive": "vertex_cover", "graph": ' + b'{"a":' * 900)
    bodies.append(json.dumps(BODY | {"text": "\ud800"}).encode())
    for body in bodies:
        answer = httpx.post(url, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), body[:40]
        assert answer.json()["error"]["hint"]


@pytest.mark.parametrize("streamed", [False, True])
def test_when_the_caller_goes_away_no_further_turn_is_taken(streamed):
    turns, cancelled, entered = [], threading.Event(), threading.Event()

    async def write(request):
        turns.append(request.turns[0].turn)
        entered.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        yield written(request, GOOD)

    with running(Endpoint(write=write).api) as (host, port):
        body = json.dumps(BODY | {"turns": 3, "stream": streamed}).encode()
        with socket.create_connection((host, port)) as line:
            line.sendall(HEAD.replace(b"100", str(len(body)).encode()) + body)
            assert entered.wait(20)
        assert cancelled.wait(20)
    assert turns == [0]


def test_hostile_circuits_are_answered(address):
    url = f"http://{address[0]}:{address[1]}/v1/verify"
    for name, (text, kind) in list(CASES.items())[::6]:  # all: tests/verification/test_hostile.py
        asked = json.dumps({"problem": BODY["problem"], "circuit": text})
        answer = httpx.post(url, content=asked, headers={"Content-Type": "application/json"})
        if len(asked) > 400_000:
            assert answer.status_code == 413
            continue
        assert answer.status_code == 200, (name, answer.text[:300])
        error = answer.json()["report"]["error"]
        assert (error and error["kind"]) == kind, name


schema = schemathesis.openapi.from_asgi("/openapi.json", Endpoint(["none", GOOD]).api)


@schema.parametrize()
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_request_that_the_document_allows_breaks_the_endpoint(case):
    response = case.call()
    assert response.status_code < 500, response.text[:500]
