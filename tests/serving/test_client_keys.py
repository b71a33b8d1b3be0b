"""Keys of the client: sent where they belong, refused where they are wrong, and never shown."""

import logging
import traceback

import pytest
from client_calls import TEXTS, WORDS, fails
from endpoint import Endpoint
from scripted import Answered, refused

import quasar
from quasar.client import AuthenticationError
from quasar.errors import InputError
from quasar.serving.keys import ApiKeys, new_key, read_keys

pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.fixture
def locked(tmp_path, scripted):
    """(url of an endpoint with keys, its key)"""
    key = new_key("alice", tmp_path / "keys.txt")
    keys = read_keys((tmp_path / "keys.txt").read_text(), source="keys.txt")
    assert isinstance(keys, ApiKeys)
    url, _ = scripted(then=Endpoint(TEXTS, keys=keys).api)
    return url, key


def test_the_key_is_sent_and_a_wrong_one_refused(locked, call, monkeypatch):
    url, key = locked
    assert call(url, "circuit", WORDS, samples=1, settings={"api_key": key}).valid
    monkeypatch.setenv("QUASAR_API_KEY", f" {key}\n")
    assert call(url, "circuit", WORDS, samples=1).valid
    error = fails(call, url, "circuit", WORDS, settings={"api_key": "qk_wrong"})
    assert (type(error), error.status, error.attempts) == (AuthenticationError, 401, 1)
    assert str(error) == (
        "the API key is not known; give its key: api_key, QUASAR_API_KEY or --api-key-file"
    )


def test_the_key_is_never_shown(locked, call, caplog, quick, scripted):
    caplog.set_level(logging.DEBUG)
    secret = "qk_5ecret"
    shown = [repr(quasar.Client(api_key=secret)), repr(quasar.AsyncClient(api_key=secret))]
    assert shown[0] == "Client('http://127.0.0.1:8000', api_key=given)"
    busy, _ = scripted(*[refused(503)] * 2)
    for url in (locked[0], busy, "http://127.0.0.1:9"):
        settings = {"api_key": secret, "max_retries": 1}
        error = fails(call, url, "circuit", WORDS, settings=settings)
        shown += [repr(error), repr(vars(error)), "".join(traceback.format_exception(error))]
    for bad in (f"{secret}\nX: 1", f"ключ{secret}"):
        with pytest.raises(InputError, match="api_key is no key") as caught:
            quasar.Client(api_key=bad)
        shown += traceback.format_exception(caught.value)
    with pytest.raises(InputError, match="a user or a password") as caught:
        quasar.Client(f"http://me:{secret}@127.0.0.1")
    shown += traceback.format_exception(caught.value)
    shown.append(caplog.text)
    assert "asked again" in caplog.text
    assert not [text for text in shown if "5ecret" in text]


def test_a_redirect_is_not_followed(call, scripted):
    other, elsewhere = scripted()
    url, _ = scripted(Answered(307, location=f"{other}/v1/circuits"))
    error = fails(call, url, "circuit", WORDS, settings={"api_key": "qk_x"})
    assert elsewhere.asked == []
    assert error.status == 307
    assert f"answered 307: ask {other}/v1/circuits" in error.message
