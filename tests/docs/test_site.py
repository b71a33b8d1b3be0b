"""The site: it builds strictly, its links lead somewhere, and nothing is fetched by a page."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from quasar.config import flatten, load_config
from tests.support.machine import scaled

ROOT = Path(__file__).parents[2]


class Links(HTMLParser):
    """What a page links to, what it loads, and the places in it."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if place := values.get("id"):
            self.places.add(place)
        if tag == "a" and (target := values.get("href")):
            self.links.append(target)
        elif (tag == "link" and (target := values.get("href"))) or (target := values.get("src")):
            self.loaded.append(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(place)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=scaled(200),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return place


@pytest.fixture(scope="module")
def found(site):
    """Page -> its links."""
    return {path: Links(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}


def test_links_lead_to_pages_and_places_in_them(site, found):
    wrong = []
    for path, page in found.items():
        if path.name == "404.html":
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            places = found[target].places if target in found else None
            if not target.is_file() or (
                parts.fragment and places is not None and unquote(parts.fragment) not in places
            ):
                wrong.append(f"{path.relative_to(site)}: {link}")
    assert not wrong, wrong


def test_nothing_is_loaded_from_elsewhere(site, found):
    loaded = {target for page in found.values() for target in page.loaded}
    assert loaded
    assert not [target for target in loaded if re.match(r"(https?:)?//", target)]
    sheets = [path.read_text("utf-8") for path in site.rglob("*.css")]
    assert not [sheet for sheet in sheets if re.search(r"url\(['\"]?(https?:)?//", sheet)]


def test_the_references_have_everything(site):
    settings = (site / "reference" / "configuration.html").read_text("utf-8")
    missing = [path for path, _, _ in flatten(load_config("laptop")) if path not in settings]
    assert not [path for path in missing if not path.startswith("reward.weights.")]
    commands = (site / "reference" / "cli.html").read_text("utf-8")
    for name in ("quasar verify", "quasar dataset generate", "--problems", "quasar completion"):
        assert name in commands
    routes = (site / "reference" / "http.html").read_text("utf-8")
    assert "POST /v1/circuits" in routes
    names = (site / "reference" / "python.html").read_text("utf-8")
    assert "quasar.client.client.Client" in names


def test_what_is_not_run_is_told_to_the_reader(site):
    page = (site / "tutorials" / "sweep.html").read_text("utf-8")
    assert "Not run by the tests: a model is trained for each trial." in page
    assert "&lt;!-- run" not in page
