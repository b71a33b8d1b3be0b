"""The playground keeps the key, runs nothing that a model writes, and asks nobody else."""

import re
from pathlib import Path

import httpx
import pytest
from browser import CIRCUITS, needs_browser, run
from endpoint import Endpoint, running

from quasar.serving.keys import new_key, read_keys

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = needs_browser
HOSTILE = (
    '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>',
    CIRCUITS[0].replace(
        "h q[0];", 'h q[0]; // </pre><svg onload="window.hacked=1"></svg>" \\ """ `$(id)`'
    ),
    CIRCUITS[1].replace("h q[0];", "<b>h</b> q[0];"),
)


def test_the_key_is_asked_for_and_kept_in_the_tab(visit, tmp_path):
    key = new_key("alice", tmp_path / "keys")
    keys = read_keys((tmp_path / "keys").read_text(), source="keys")
    there = visit(Endpoint(CIRCUITS, keys=keys))
    page = there.open()
    dialog = page.locator("#key-dialog")
    assert dialog.is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#editor .node").count() == 5  # the page works as far as it may
    page.click("#run")
    sync_api.expect(dialog).to_be_visible()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#key-why")).to_contain_text("The key is not known.")
    page.fill("#key", key)
    page.keyboard.press("Enter")
    page.wait_for_selector("#result:not([hidden])")
    assert page.text_content("#endpoint") == "model run/final"
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    assert key not in page.content()
    assert not any(key in url for url in there.asked)


def test_what_the_model_writes_is_text(visit):
    there = visit(Endpoint(HOSTILE))
    page = there.open()
    page.fill("#samples", "3")
    run(page)
    page.wait_for_selector("#result:not([hidden])")
    assert page.text_content("#program") == HOSTILE[1]
    for card in page.locator(".card").all():
        card.click()
        assert page.locator("#candidate-text *").count() == 0
    assert HOSTILE[2] in page.text_content("#candidate-text")
    assert page.locator("#output img, #output script, #output b").count() == 0
    assert page.evaluate("window.hacked") is None
    assert there.faults == []


def test_the_page_runs_nothing_but_its_own_files():
    files = Path(__file__).parents[2] / "quasar/serving/playground"
    with running(Endpoint().api) as (host, port), httpx.Client() as client:
        url = f"http://{host}:{port}/"
        page = client.get(url)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert not re.search(
            r"<script(?! type=\"module\" src)|style=|\son\w+=|https?://", page.text
        )
        for file in files.iterdir():
            answer = client.get(f"{url}playground/{file.name}")
            assert answer.text == file.read_text()
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", ""), file
        kept = {"If-None-Match": answer.headers["etag"]}
        assert client.get(f"{url}playground/{file.name}", headers=kept).status_code == 304


def test_the_documentation_needs_nothing_from_elsewhere(visit):
    there = visit()
    page = there.page
    page.goto(there.url + "docs")
    page.wait_for_selector(".opblock")
    assert page.locator(".opblock-summary-path", has_text="/v1/circuits").count() == 1
    page.click(".opblock-summary-path:has-text('/v1/verify')")
    page.wait_for_selector(".opblock-body")
    assert all(url.startswith((there.url, "data:")) for url in there.asked)
    assert there.faults == []
