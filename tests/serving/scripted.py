"""Servers that misbehave, on real sockets: given answers one after the other, then the endpoint."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator

JSON, HTML, EVENTS = "application/json", "text/html", "text/event-stream"


class Answered:
    """One answer of a script. pause_s: before each piece; a body without end: repeat its last."""

    def __init__(
        self, status=200, *pieces: bytes, kind=JSON, pause_s=0.0, endless=False, **headers
    ):
        self.status, self.pieces, self.pause_s, self.endless = status, pieces, pause_s, endless
        given = {"content-type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        self.headers = [(k.encode(), v.encode()) for k, v in given.items()]


def refused(status: int, message="busy", hint="wait", **headers) -> Answered:
    """A refusal as the endpoint writes it."""
    error = {"message": message, "field": None, "hint": hint}
    return Answered(status, json.dumps({"error": error}).encode(), **headers)


def events(*shown: tuple[str, object], end=b"") -> Answered:
    """A stream of these events."""
    pieces = [f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in shown]
    return Answered(200, *pieces, end, kind=EVENTS)


class Scripted:
    """An ASGI application: each request gets the next answer, later ones go to `then`."""

    def __init__(self, *answers: Answered, then=None):
        self.answers = list(answers)
        self.then = then
        self.asked: list[tuple[str, dict[str, str]]] = []  # path, headers

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        self.asked.append((scope["path"], headers))
        if not self.answers:
            await self.then(scope, receive, send)
            return
        answer = self.answers.pop(0)
        head = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        await send(head)
        for piece in answer.pieces:
            if answer.pause_s and await gone(receive, answer.pause_s):
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        while answer.endless and not await gone(receive, answer.pause_s):
            last = {"type": "http.response.body", "body": answer.pieces[-1], "more_body": True}
            await send(last)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def gone(receive, seconds: float) -> bool:
    """Whether the caller goes away within so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
            return True
    return False


def under(prefix: str, api):
    """The application as a proxy shows it below a path, which it takes away."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            assert scope["path"].startswith(f"{prefix}/v1/"), scope["path"]
            path = scope["path"].removeprefix(prefix)
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await api(scope, receive, send)

    return app


@contextlib.contextmanager
def hanging_up(times: int, answer: bytes) -> Iterator[tuple[str, list[int]]]:
    """A server that closes the first connections without a word; (url, connections so far)."""
    taken: list[int] = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    taken.append(1)
                    connection.recv(65536)
                    if len(taken) > times:
                        head = f"HTTP/1.1 200 OK\r\ncontent-type: {JSON}\r\nconnection: close\r\n"
                        head += f"content-length: {len(answer)}\r\n\r\n"
                        connection.sendall(head.encode() + answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            host, port = listener.getsockname()
            yield f"http://{host}:{port}", taken
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
