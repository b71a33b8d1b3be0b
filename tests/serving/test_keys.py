"""Keys, rates, the audit log, and who may do without a key."""

import json

import pytest
from endpoint import BROWSER, GOOD, Endpoint, error_of

from quasar.cli.main import main
from quasar.config import load_config
from quasar.errors import InputError
from quasar.serving.keys import RateLimit, configured_keys, is_loopback, new_key, read_keys


@pytest.fixture
def alice(tmp_path):
    """(key, keys of a file that holds her and bob)."""
    key = new_key("alice", tmp_path / "keys.txt")
    new_key("bob", tmp_path / "keys.txt")
    return key, read_keys((tmp_path / "keys.txt").read_text(), source="keys.txt")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_the_file_holds_no_key_and_others_cannot_read_it(tmp_path):
    file = tmp_path / "keys.txt"
    key = new_key("alice", file)
    assert key not in file.read_text()
    assert len(key) > 40
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(InputError, match="twice"):
        new_key("alice", file)
    assert read_keys(file.read_text(), source="f").id_of(key) == "alice"


def test_with_keys_only_their_holders_are_answered(alice):
    key, keys = alice
    endpoint = Endpoint([GOOD], keys=keys)
    assert endpoint.ask(headers=bearer(key)).status_code == 200
    wrong = ({}, bearer(key[:-1]), bearer(""), bearer("ü"), {"Authorization": f"Basic {key}"})
    wrong += ({"Authorization": key}, {"X-Api-Key": key})
    for headers in wrong:
        raw = {name: value.encode() for name, value in headers.items()}
        response = endpoint.ask(headers=raw)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert key[:-1] not in response.text
        assert error_of(response)
    assert len(endpoint.requests) == 1


AROUND = (
    *("/v1/models", "/metrics", "/v1//models", "/%76%31/models", "/healthz/../v1/models", "/x"),
    *("//v1/models", "/v1/models/", "/V1/models", "/docs/../metrics", "/openapi.json/..%2fmetrics"),
    *("/playground/../v1/models", "/playground/..%2fmetrics", "/playground/", "/playground"),
)


@pytest.mark.parametrize("path", AROUND)
def test_no_path_goes_around_the_key(alice, path):
    response = Endpoint(keys=alice[1]).request("GET", path)
    assert response.status_code == 401
    assert "quasar_requests" not in response.text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz",
        "/docs",
        "/docs/swagger-ui.css",
        "/openapi.json",
        "/v1/problems",
        "/v1/tasks",
        "/playground/app.js",
    ],
)
def test_what_costs_nothing_is_open(alice, path):
    assert Endpoint(keys=alice[1]).request("GET", path, headers=BROWSER).status_code == 200


def test_a_key_over_its_rate_waits(alice):
    key, keys = alice
    endpoint = Endpoint(
        [GOOD], "serving.rate_limit_per_minute=6", "serving.rate_limit_burst=2", keys=keys
    )
    answers = [endpoint.ask(headers=bearer(key)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 10
    assert error_of(answers[2])
    assert endpoint.request("GET", "/v1/models", headers=bearer(key)).status_code == 200


def test_a_bucket_fills_with_time_and_each_key_has_its_own():
    now = [0.0]
    limit = RateLimit(60.0, 2, clock=lambda: now[0])
    assert [limit.take("a") for _ in range(3)] == [0, 0, 1]
    assert limit.take("b") == 0
    now[0] = 1.0
    assert [limit.take("a"), limit.take("a")] == [0, 1]
    assert {RateLimit(None, 1).take("a") for _ in range(50)} == {0}


def test_the_audit_log_has_one_line_a_request_and_no_secrets(alice, tmp_path):
    key, keys = alice
    log = tmp_path / "logs" / "audit.jsonl"
    endpoint = Endpoint([GOOD], f"serving.audit_log={log}", keys=keys)
    endpoint.ask(headers=bearer(key))
    endpoint.ask(headers=bearer("wrong"))
    endpoint.request("GET", '/v1/x"%0A{"key": "root"}?key=secret', headers=bearer(key))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = [(line["key"], line["route"], line["status"]) for line in lines]
    assert told == [("alice", "/v1/circuits", 200), ("-", "other", 401), ("alice", "other", 404)]
    assert lines[0].keys() == {"time", "key", "method", "route", "model", "status", "seconds"}
    assert [line["model"] for line in lines] == ["run/final", None, None]
    assert not any(word in log.read_text() for word in (key, "secret", "root", "vertex_cover"))


def test_pages_of_other_origins_may_call_only_where_it_is_allowed(alice):
    key, keys = alice
    origin = {"Origin": "https://page.example"}
    asked = origin | {"Access-Control-Request-Method": "POST"}
    allowed = Endpoint([GOOD], 'serving.cors_origins=["https://page.example"]', keys=keys)
    assert allowed.request("OPTIONS", "/v1/circuits", headers=asked).status_code == 200
    answer = allowed.ask(headers=origin | bearer(key))
    assert answer.headers["access-control-allow-origin"] == "https://page.example"
    other = allowed.ask(headers={"Origin": "https://other.example"} | bearer(key))
    assert "access-control-allow-origin" not in other.headers
    closed = Endpoint([GOOD], keys=keys)
    assert "access-control-allow-origin" not in closed.ask(headers=origin | bearer(key)).headers
    assert closed.request("OPTIONS", "/v1/circuits", headers=asked).status_code in (401, 405)


@pytest.mark.parametrize(
    ("host", "own"),
    [
        *((host, True) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "10.0.0.5", "localhost.example")),
    ],
)
def test_loopback_is_told(host, own):
    assert is_loopback(host) is own


def test_others_are_not_let_in_without_keys(monkeypatch, capsys):
    monkeypatch.delenv("QUASAR_API_KEYS", raising=False)
    assert main(["serve", "--verifier-only", "--set", "serving.host=0.0.0.0"]) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    assert "quasar keys new" in error


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("alice 1234", "line 1"),
        (f"# ok\nalice sha256:{'0' * 64}\nalice sha256:{'1' * 64}\n", "line 3"),
        ("\n", "holds no key"),
    ],
)
def test_a_bad_key_file_is_refused(tmp_path, text, part):
    (tmp_path / "keys").write_text(text)
    serving = load_config("laptop", [f"serving.keys_file={tmp_path}/keys"]).serving
    with pytest.raises(InputError, match=part) as caught:
        configured_keys(serving)
    assert "1234" not in str(caught.value)


def test_keys_come_from_the_environment_too(monkeypatch, tmp_path, capsys):
    assert main(["keys", "new", "--id", "ci", "--file", str(tmp_path / "k")]) == 0
    key = capsys.readouterr().out.strip()
    monkeypatch.setenv("QUASAR_API_KEYS", (tmp_path / "k").read_text().strip() + ";")
    assert configured_keys(load_config("laptop").serving).id_of(key) == "ci"
    assert main(["keys", "new", "--id", "a b", "--file", str(tmp_path / "k")]) == 2
