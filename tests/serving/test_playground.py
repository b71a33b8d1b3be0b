"""The playground in a real browser: headless Chromium against the application on loopback."""

import asyncio
import json
import re
import threading

import httpx
import pytest
from browser import CIRCUITS, PHONE, PROBLEM, needs_browser, overflow, run
from endpoint import Endpoint, written

from quasar.episodes.turns import TextDelta, TextDeltas
from quasar.policy.engines.protocol import stream_seed
from quasar.problems import problem_names
from tests.support.machine import wait_until

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = needs_browser


def test_a_drawn_graph_becomes_a_circuit_with_its_outcomes_and_answer(visit):
    endpoint = Endpoint([*CIRCUITS, "no program"])
    there = visit(endpoint)
    page = there.open()
    assert page.text_content("#endpoint") == "model run/final"
    assert page.input_value("#edges") == "0-1 1-2 2-3 3-4 0-4 1-4"
    page.fill("#samples", "3")
    page.fill("#turns-asked", "2")
    page.click("text=More options")
    page.fill("#seed", "7")
    run(page)
    assert page.text_content("#status").startswith("Best of 4 valid circuits from 6 candidates")
    assert [request.turns[0].turn for request in endpoint.requests] == [0, 1]
    assert endpoint.requests[0].turns[0].seed == stream_seed(7, 0)
    assert page.locator(".turn").count() == 2
    assert page.locator(".card.valid").count() == 4
    assert page.locator(".card.best").count() == 1
    assert page.locator(".card.invalid .why").first.text_content() == "syntax"

    report = endpoint.verifier.verify(PROBLEM, CIRCUITS[0], draw=True)
    figures = page.text_content("#figures")
    assert f"{100 * report.distribution.optimum_probability:.1f} %" in figures
    assert f"{report.expectation.approximation_ratio:.3f}" in figures
    assert page.locator("#circuit .gate").count() == report.num_gates
    assert page.locator("#circuit .measure").count() == 5
    shown = page.locator("#outcomes .bits").all_text_contents()
    assert shown == [outcome.bitstring for outcome in report.drawing.outcomes]
    optimal = page.locator("#outcomes tr.optimal .bits").all_text_contents()
    assert optimal == [o.bitstring for o in report.drawing.outcomes if o.optimal]
    best = report.drawing.outcomes[0]
    assert page.text_content("#answer-words") == f"Chosen nodes: {', '.join(map(str, best.answer))}"
    chosen = page.locator("#answer-graph .node.chosen .name").all_text_contents()
    assert chosen == [str(node) for node in best.answer]
    other = report.drawing.outcomes[5]
    page.locator("#outcomes .bits").nth(5).click()
    chosen = page.locator("#answer-graph .node.chosen .name").all_text_contents()
    assert chosen == [str(node) for node in sorted(other.answer)]

    assert page.text_content("#program") == CIRCUITS[0]
    assert {url.split("/")[2] for url in there.asked} == {there.url.split("/")[2]}
    assert there.faults == []


def test_what_is_copied_works(visit):
    there = visit()
    there.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = there.open()
    run(page)
    copied = {}
    for name in ("QASM", "Python (Qiskit)", "Python (ask again)", "curl"):
        page.click(f"text=Copy {name}")
        page.wait_for_selector(f"#copied:text-is('{name} copied')")
        copied[name] = page.evaluate("navigator.clipboard.readText()")
    assert copied["QASM"] == CIRCUITS[0]
    found = {}
    plain = copied["Python (Qiskit)"].replace("print(circuit)\n", "")
    exec(plain, found)
    assert found["circuit"].num_qubits == 5
    compile(copied["Python (ask again)"], "copied", "exec")
    assert f'quasar.Client("{there.url}"' in copied["Python (ask again)"]
    body = json.loads(re.search(r"-d '(.*)'", copied["curl"])[1])
    assert httpx.post(f"{there.url}v1/circuits", json=body).json()["circuit"] == CIRCUITS[0]


def test_every_problem_is_stated_verified_and_answered(visit):
    there = visit(Endpoint(model=None))
    page = there.open()
    assert page.text_content("#endpoint") == "verifies circuits; no model here"
    assert page.is_hidden("#modes")
    for name in problem_names():
        page.select_option("#primitive", name)
        page.select_option("#example", "own")
        with page.expect_response("**/v1/describe") as described:
            page.click("#start-qaoa")
        assert described.value.ok, (name, described.value.text())
        sync_api.expect(page.locator("#own")).to_have_value(
            re.compile(rf"qubit\[{described.value.json()['num_qubits']}\] q;")
        )
        run(page)
        assert page.text_content("#status").startswith("Valid: reward"), name
        words = page.text_content("#answer-words")
        assert ":" in words, (name, words)
        assert not words.startswith(("[", "{")), (name, words)
        before = page.input_value("#edges")
        page.fill("#edges", before)  # what is written is read again as the same graph
        assert page.is_hidden("#edges-mistake"), (name, before)
    assert there.faults == []


def test_an_own_circuit_that_is_not_valid_is_shown_where(visit):
    page = visit().open()
    page.check("input[value=verify]", force=True)
    page.fill("#own", CIRCUITS[0].replace("rz(0.3) q[0];", "rz(0.3) q[8];", 1))
    run(page)
    assert page.text_content("#problem-title") == "Not valid (index out of range)"
    assert "rz(0.3) q[8];" in page.text_content("#problem-line")
    assert page.is_hidden("#result")
    page.fill("#own", CIRCUITS[0])
    run(page)
    assert page.is_hidden("#problem-part")
    assert page.text_content("#observation").startswith("valid: 5 qubits")


def test_the_keyboard_is_enough(visit):
    endpoint = Endpoint(CIRCUITS)
    page = visit(endpoint).open()
    press = page.keyboard.press
    page.focus("#clear")
    press("Enter")
    assert page.input_value("#edges") == ""
    press("Tab")
    for _ in range(4):
        press("n")
    assert page.input_value("#edges") == "0 1 2 3"
    for _ in range(3):  # each node with the next
        press("Enter")
        press("ArrowRight")
        press("Enter")
    press("ArrowRight")
    press("Enter")
    assert page.input_value("#edges") == "3-0 0-1 1-2"
    press("Escape")
    press("Delete")
    assert page.input_value("#edges") == "0-1 1-2"
    press("Control+z")
    assert page.input_value("#edges") == "3-0 0-1 1-2"
    page.focus("#edges")
    press("Control+a")
    page.keyboard.type("0-1 1-2 2-3 3-4 0-4 1-4")
    assert page.locator("#editor .node").count() == 5
    press("Control+Enter")
    page.wait_for_selector("#result:not([hidden])")
    assert len(endpoint.requests[0].turns) == 4
    for _ in range(60):
        press("Tab")
        if page.evaluate("document.activeElement.className") == "bits":
            break
    press("Tab")
    press("Enter")
    pressed = "#outcomes tr:nth-child(2) .bits[aria-pressed=true]"
    assert page.locator(pressed).count() == 1


def test_pointer_and_touch_draw_and_undo(visit):
    page = visit(**PHONE).open()
    page.click("#clear")
    box = page.locator("#editor").bounding_box()

    def at(x, y):
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    for place in ((0.2, 0.3), (0.8, 0.3), (0.5, 0.8)):
        page.touchscreen.tap(*at(*place))
    assert page.input_value("#edges") == "0 1 2"
    page.touchscreen.tap(*at(0.2, 0.3))
    page.touchscreen.tap(*at(0.8, 0.3))
    assert page.input_value("#edges") == "0-1 2"
    page.mouse.move(*at(0.8, 0.3))
    page.mouse.down()
    page.mouse.move(*at(0.6, 0.6), steps=3)
    page.mouse.move(*at(0.5, 0.8), steps=3)
    page.mouse.up()
    assert page.input_value("#edges") == "0-1 1-2"
    page.check("#tools input[value=move]", force=True)
    before = page.locator("#editor .node").first.get_attribute("transform")
    page.mouse.move(*at(0.2, 0.3))
    page.mouse.down()
    page.mouse.move(*at(0.3, 0.6), steps=3)
    page.mouse.up()
    assert page.locator("#editor .node").first.get_attribute("transform") != before
    assert page.input_value("#edges") == "0-1 1-2"
    page.check("#tools input[value=delete]", force=True)
    page.touchscreen.tap(*at(0.8, 0.3))
    assert page.input_value("#edges") == "0 2"
    page.click("#undo")
    assert page.input_value("#edges") == "0-1 1-2"


def test_text_and_json_are_read_and_mistakes_told(visit):
    page = visit().open()
    page.fill("#edges", "a-b b-c c–d, (d, e)")
    assert page.locator("#editor .node .name").all_text_contents() == ["a", "b", "c", "d", "e"]
    node_link = {"nodes": [{"id": 5}, {"id": "x y"}], "links": [{"source": 5, "target": "x y"}]}
    page.fill("#edges", json.dumps(node_link))
    assert page.locator("#editor .edge").count() == 1
    for text, part in (
        ("0-1 0-0", "joins a node with itself"),
        ("0-1 1-0", "is there twice"),
        ("0-1 %", "cannot read"),
        ('{"nodes": [1,', "not JSON"),
        (" ".join(f"{i}-{i + 1}" for i in range(99)), "at most 60 nodes"),
    ):
        page.fill("#edges", text)
        assert part in page.text_content("#edges-mistake")
        assert page.get_attribute("#edges", "aria-invalid") == "true"
    page.select_option("#primitive", "max_flow")
    page.fill("#edges", "0->1:7 1->2:3")
    page.select_option("#attribute-sink", "1")
    run(page)
    assert page.locator("#answer-graph .node .note").all_text_contents() == ["source", "sink"]
    assert "/7" in page.text_content("#answer-graph")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_without_scrolling_sideways(visit, scheme):
    page = visit(**PHONE, color_scheme=scheme).open()
    assert overflow(page) == 0
    run(page)
    page.locator(".card").first.click()
    page.click("#variables-head")
    page.click("#keys-part summary")
    assert overflow(page) == 0
    assert page.locator(".scroll").evaluate("box => box.scrollWidth > box.clientWidth")
    ground, ink = (
        page.evaluate(f"getComputedStyle(document.body).{name}.match(/\\d+/g).map(Number)")
        for name in ("backgroundColor", "color")
    )
    assert (sum(ground) > sum(ink)) is (scheme == "light")


def test_the_text_is_shown_as_it_grows(visit):
    lines = CIRCUITS[0].splitlines(keepends=True)
    go_on = threading.Event()

    async def write(request):
        yield TextDeltas((TextDelta(0, "".join(lines[:3])), TextDelta(1, "<b>x</b>\n")))
        yield TextDeltas((TextDelta(0, "".join(lines[3:9])),))
        await asyncio.to_thread(go_on.wait, 20)
        yield written(request, CIRCUITS[0])

    page = visit(Endpoint(write=write)).open()
    page.click("#run")
    # not wait_for_function: it evaluates text in the page, which the page's policy forbids
    page.wait_for_selector(".growing:has-text('h q[')")
    shown = page.text_content(".growing")
    assert shown == "\n".join("".join(lines[:9]).split("\n")[-6:])
    assert "lines" in page.text_content(".card.waiting .why")
    go_on.set()
    page.wait_for_selector("#result:visible")
    assert page.is_hidden(".growing")


def test_stop_ends_the_work(visit):
    begun, cancelled = asyncio.Event(), []

    async def write(request):
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(request.turns[0].turn)
            raise
        yield written(request, CIRCUITS[0])

    page = visit(Endpoint(write=write)).open()
    page.focus("#run")
    page.keyboard.press("Enter")
    page.wait_for_selector(".card.waiting")
    assert page.is_disabled("#run")
    page.keyboard.press("Enter")  # the focus went on to Stop
    page.wait_for_selector("#run:enabled")
    assert page.text_content("#status") == "Stopped."
    assert page.locator(".card.waiting").count() == 0
    assert wait_until(lambda: cancelled, 5)
    assert cancelled == [0]


def test_a_connection_that_breaks_is_told(visit):
    there = visit()
    page = there.open()
    started = {"seed": 1, "samples": 4, "turns": 1, "problem": {"num_qubits": 5}}
    cut = f"event: start\ndata: {json.dumps(started)}\n\n"
    page.route("**/v1/circuits", lambda route: route.fulfill(body=cut, content_type="text/plain"))
    run(page)
    assert page.text_content("#problem-title") == "The connection broke off"
    assert page.locator(".card.waiting").count() == 0
    assert there.faults == []


def test_a_refusal_is_told_with_its_mend(visit):
    page = visit(Endpoint(CIRCUITS, "serving.max_samples=4")).open()
    page.fill("#samples", "9")
    run(page)
    assert page.text_content("#problem-title") == "Samples: 9 is over the limit of 4"
    assert page.text_content("#problem-hint") == "Ask for at most 4"


def test_a_link_holds_the_problem(visit):
    there = visit()
    there.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = there.open()
    page.select_option("#primitive", "steiner_tree")
    page.fill("#edges", "0-1:2 1-2:3 0-2:9")
    page.click("#share")
    page.wait_for_selector("#status:text-matches('^Link copied')")
    link = page.evaluate("navigator.clipboard.readText()")
    again = there.context.new_page()
    again.goto(link)
    again.wait_for_selector("body[data-ready]")
    assert again.input_value("#primitive") == "steiner_tree"
    assert again.input_value("#edges") == "0-1:2 1-2:3 0-2:9"
    broken = there.context.new_page()
    broken.goto(there.url + "#problem=%7Bx")
    broken.wait_for_selector("body[data-ready]")
    assert broken.text_content("#problem-title") == "The link holds no problem that can be read"


@pytest.mark.parametrize(("width", "height"), [(1400, 900), (390, 844)])
def test_the_main_button_is_seen_without_scrolling(visit, width, height):
    page = visit(viewport={"width": width, "height": height}).open()
    box = page.locator("#run").bounding_box()
    assert box["y"] + box["height"] <= height
    assert page.evaluate("window.scrollY") == 0
