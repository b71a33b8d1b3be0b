"""A small stand-in of the hub's HTTP API: repositories in memory, one commit after the other."""

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class HubServer(ThreadingHTTPServer):
    """Takes commits of the token `good`; keeps files by repository and path."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.tokens: set[str] = set()  # that came with requests

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, format, *args):
        pass

    def _answer(self, status, content=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _json(self, value, status=200, **headers):
        self._answer(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.server.tokens.add(token)
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts == ["api", "validate-yaml"]:
            return self._json({"errors": [], "warnings": []})
        if token != "good":
            return self._json({"error": "Invalid username or password."}, 401)
        if parts == ["api", "repos", "create"]:
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            self.server.repositories.setdefault(name, {})
            self.server.private[name] = bool(
                asked.get("private") or asked.get("visibility") == "private"
            )
            return self._json({"url": f"{self.server.url}/{name}", "name": name})
        name = "/".join(parts[2:4])
        if parts[4] == "preupload":
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                for f in json.loads(body)["files"]
            ]
            return self._json({"files": files, "commitOid": None})
        for line in body.splitlines():
            row = json.loads(line)
            if row["key"] == "file":
                content = base64.b64decode(row["value"]["content"])
                self.server.repositories[name][row["value"]["path"]] = content
        revision = _revision(self.server.repositories[name])
        url = f"{self.server.url}/{name}/commit/{revision}"
        return self._json({"success": True, "commitOid": revision, "commitUrl": url})

    def do_GET(self):
        parts = self.path.partition("?")[0].strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        name = "/".join(parts[2:4] if api else parts[:2])
        files = self.server.repositories.get(name)
        if files is None:
            return self._json({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
        revision = _revision(files)
        if api and "tree" in parts:
            return self._json([
                {"type": "file", "path": p, "size": len(c), "oid": hashlib.sha1(c).hexdigest()}
                for p, c in files.items()
            ])  # fmt: skip
        if api:
            siblings = [{"rfilename": path} for path in files]
            return self._json({"id": name, "modelId": name, "sha": revision, "siblings": siblings})
        content = files["/".join(parts[4:])]
        etag = hashlib.sha1(content).hexdigest()
        return self._answer(200, content, ETag=f'"{etag}"', X_Repo_Commit=revision)

    do_HEAD = do_GET


def _revision(files: dict[str, bytes]) -> str:
    whole = b"".join(path.encode() + content for path, content in sorted(files.items()))
    return hashlib.sha1(whole).hexdigest()


@contextlib.contextmanager
def running_hub() -> Iterator[HubServer]:
    """The stand-in on a free port of loopback."""
    server = HubServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
