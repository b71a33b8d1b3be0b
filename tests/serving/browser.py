"""A page of the endpoint in a real browser: headless Chromium on loopback."""

import shutil

import pytest
from endpoint import running

from quasar.circuits.ansatz.qaoa import qaoa_circuit
from quasar.problems import build_instance
from quasar.schema.verify import expand_graph
from tests.support.machine import scaled

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on PATH: apt-get install chromium"
)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
HOUSE = {"nodes": [0, 1, 2, 3, 4], "edges": [[0, 1], [1, 2], [2, 3], [3, 4], [0, 4], [1, 4]]}
PROBLEM = build_instance("vertex_cover", expand_graph(HOUSE, is_network=False))
CIRCUITS = tuple(
    qaoa_circuit(PROBLEM.hamiltonian, [gamma], [beta]).to_qasm()
    for gamma, beta in ((0.3, -0.3), (0.0, 0.0))
)
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


class Visit:
    """A page of the browser, all that it asked for, and all that went wrong in it."""

    def __init__(self, browser, api, **options):
        self._running = running(api)
        host, port = self._running.__enter__()
        self.url = f"http://{host}:{port}/"
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(scaled(10_000))
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.faults: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._noted)

    def _noted(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def open(self, fragment: str = ""):
        self.page.goto(self.url + fragment)
        self.page.wait_for_selector("body[data-ready]")
        return self.page

    def close(self):
        self.context.close()
        self._running.__exit__(None, None, None)


def run(page):
    page.click("#run")
    page.wait_for_selector("#run:enabled", timeout=scaled(20_000))


def overflow(page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
