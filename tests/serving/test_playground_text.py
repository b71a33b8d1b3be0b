"""The page asks about what its text says: what cannot be read is shown and not sent, and whatever
is done in between, text, drawing and request are one graph."""

import json
import re

import pytest
from browser import CIRCUITS, PHONE, needs_browser, overflow, run
from endpoint import Endpoint

from quasar.problems import problem_names
from quasar.schema.catalogue import list_problems
from quasar.schema.verify import Problem, to_instance
from quasar.schema.words.reader import read_problem

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = needs_browser
# Each with what the page must name of it.
UNREADABLE = (
    ("vertex_cover", "0-1 1-2 ??? 2-3", "“???”"),
    ("vertex_cover", "0-1 1-2.", "“1-2.”"),
    ("vertex_cover", "0-1:10 1-2", "0-1 has the number 10"),
    ("hypermaxcut", "0-1:10 1-2:1 2-0", "0-1 has the number 10"),
    ("hypermaxcut", "{0,0,1}", "lists a node twice"),
    ("hypermaxcut", "{0,1} 0-1", "is there twice"),
    ("hypermaxcut", "{0,?}", "“?”"),
    ("vertex_cover", "0->1 1-2", "has a direction"),
    ("vertex_cover", "{0,1,2}", "no hyperedges"),
    ("vertex_cover", "0(3) 0-1", "no numbers on its nodes"),
    ("steiner_tree", "0-1:3x 1-2:2", "“0-1:3x”"),
    ("steiner_tree", "0-1:3 1-2", "1-2 has no weight"),
    ("steiner_tree", "0-1:9007199254740993 1-2:1", "not a number that this page can hold"),
    ("steiner_tree", "0-1:1e999 1-2:1", "not a number that this page can hold"),
    ("knapsack", "0(1,2) 1", "node 1 has no numbers"),
    ("knapsack", "0(1,2) 0(3,4)", "node 0 is there twice"),
    ("knapsack", "0(1,2) 1(2,2) 0-1", "knapsack has no edges"),
    ("vertex_cover", '{"nodes": [{"id": 0, "foo": 1}], "edges": [[0, 1]]}', "“foo”"),
    ("vertex_cover", '{"edges": [{"source": 0, "target": 1, "weight": 2}]}', "“weight”"),
    ("vertex_cover", '{"nonsense": 1, "edges": [[0, 1]]}', "“nonsense”"),
    ("vertex_cover", '{"directed": true, "nodes": [0, 1], "edges": [[0, 1]]}', "“directed”"),
    ("vertex_cover", '{"primitive": "kclique", "graph": {"edges": [[0, 1]]}}', "“primitive”"),
    ("vertex_cover", '{"nodes": [0, 1, 1], "edges": [[0, 1]]}', "node 1 is there twice"),
    ("vertex_cover", '{"edges": [[0, 1, 2, 3]]}', "[0,1,2,3]"),
    ("max_flow", '{"edges": [[0, 1, "many"]]}', '"many"'),
)  # fmt: skip


def asked_of(page) -> list[dict]:
    """The bodies of the requests that ask for circuits or verify one, as they come."""
    bodies: list[dict] = []

    def note(request):
        if request.url.endswith(("/v1/circuits", "/v1/verify")):
            bodies.append(json.loads(request.post_data))

    page.on("request", note)
    return bodies


def drawn(page) -> list[str]:
    """The edges of the drawing, by their names for a screen reader."""
    edges = page.locator("#editor .edge").all()
    return sorted(re.sub(r"^edge ", "", edge.get_attribute("aria-label")) for edge in edges)


def pairs(problem: dict) -> list[list]:
    return sorted(problem["graph"]["edges"])


def test_what_cannot_be_read_is_shown_and_not_sent(visit):
    there = visit()
    page = there.open()
    bodies = asked_of(page)
    for primitive, text, named in UNREADABLE:
        page.select_option("#primitive", primitive)
        page.fill("#edges", text)
        assert named in page.text_content("#edges-mistake"), (text, named)
        assert page.get_attribute("#edges", "aria-invalid") == "true"
        page.focus("#edges")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("#problem-part:visible")
        run(page)
        assert page.text_content("#problem-title") == "The graph as text cannot be read"
        assert page.text_content("#status") == "Not sent."
        page.focus("#seed") if page.is_visible("#seed") else page.focus("#samples")
        assert page.input_value("#edges") == text  # not that of the drawing
        page.click("#undo")
        assert page.is_hidden("#edges-mistake"), text
    assert bodies == []
    assert there.faults == []


def test_a_text_that_is_read_stays_as_it_is_written(visit):
    page = visit().open()
    bodies = asked_of(page)
    for primitive, text, edges in (
        ("vertex_cover", "0-1, (1, 2)\n2–0", [[0, 1], [1, 2], [2, 0]]),
        ("steiner_tree", "0-1:10 1-2:1 0-2:1.5", [[0, 1, 10], [1, 2, 1], [0, 2, 1.5]]),
    ):
        page.select_option("#primitive", primitive)
        page.fill("#edges", text)
        page.focus("#samples")
        assert page.input_value("#edges") == text
        run(page)
        assert pairs(bodies[-1]["problem"]) == sorted(edges)
    values = page.locator("#editor .value").all_text_contents()
    assert values == ["10", "1", "1.500"]
    page.select_option("#primitive", "hypermaxcut")
    page.fill("#edges", "0-1 {1,2,3}")
    page.focus("#samples")
    assert page.input_value("#edges") == "0-1 {1,2,3}"
    run(page)
    assert bodies[-1]["problem"]["graph"]["hyperedges"] == [[0, 1], [1, 2, 3]]


def test_text_drawing_and_request_are_one_graph_whatever_is_done(visit):
    there = visit(Endpoint(model=None))
    page = there.open()
    bodies = asked_of(page)
    page.fill("#own", CIRCUITS[0])

    def check(where):
        before = len(bodies)
        with page.expect_response("**/v1/verify"):
            page.click("#run")
        page.wait_for_selector("#run:enabled")
        (problem,) = [body["problem"] for body in bodies[before:]]
        graph = problem["graph"]
        assert problem["primitive"] == page.input_value("#primitive"), where
        parts = graph.get("hyperedges", graph.get("edges"))
        assert page.locator("#editor .edge").count() == len(parts), where
        assert page.locator("#editor .node").count() == len(graph["nodes"]), where
        text = page.input_value("#edges")
        page.fill("#edges", "0-1")
        page.fill("#edges", text)  # read anew: the same request
        assert page.is_hidden("#edges-mistake"), (where, text)
        with page.expect_response("**/v1/verify"):
            page.click("#run")
        page.wait_for_selector("#run:enabled")
        assert bodies[-1]["problem"]["graph"] == graph, (where, text)

    def undo():
        for _ in range(3):  # `check` has written the text twice
            page.locator("#editor .node").first.focus()
            page.keyboard.press("Control+z")

    page.select_option("#primitive", "steiner_tree")
    page.fill("#edges", "0-1:2 1-2:3 2-0:4")
    check("text")
    page.select_option("#primitive", "hypermaxcut")
    check("another problem")
    undo()
    assert page.input_value("#primitive") == "steiner_tree"  # the problem comes back too
    check("undone")
    page.click("#clear")
    page.select_option("#example", "own")
    check("example")
    page.select_option("#primitive", "max_flow")
    check("directed")
    undo()
    check("undone again")
    page.select_option("#primitive", "vertex_cover")
    check("without weights")
    page.locator("#editor .node").first.focus()
    page.keyboard.press("n")
    check("drawn")
    undo()
    check("undone in the drawing")
    page.select_option("#primitive", "knapsack")
    check("items")
    undo()
    check("edges again")
    state = {"primitive": "steiner_tree", "graph": "5-6:2 6-7:1"}
    page.evaluate("hash => (location.hash = hash)", f"problem={json.dumps(state)}")
    page.wait_for_selector("#editor .node[data-key='n:7']")
    assert page.input_value("#primitive") == "steiner_tree"
    assert page.input_value("#edges") == "5-6:2 6-7:1"
    check("another link in the same tab")
    # some are not well posed (a node without an edge), which the endpoint says
    assert all("422" in fault for fault in there.faults), there.faults


def test_the_drawing_waits_while_the_text_cannot_be_read(visit):
    page = visit().open()
    before = drawn(page)
    page.fill("#edges", "0-1 ?")
    box = page.locator("#editor").bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + 20)
    assert drawn(page) == before
    assert page.text_content("#heard") == "correct the text first, or undo it"
    assert page.input_value("#edges") == "0-1 ?"
    page.select_option("#primitive", "steiner_tree")
    assert page.input_value("#edges") == "0-1 ?"
    assert page.is_visible("#edges-mistake")
    page.fill("#edges", "0-1:5 1-2:x")
    page.fill("#edges", "0-1:5 1-2:4")
    assert drawn(page) == ["0 – 1, weight 5", "1 – 2, weight 4"]
    page.fill("#edges", "0-1:5 !")
    page.keyboard.press("Tab")
    page.locator("#editor .node").first.focus()
    page.keyboard.press("Control+z")
    assert page.input_value("#edges") == "0-1:5 1-2:4"


def test_a_text_that_another_problem_reads_is_read_there(visit):
    page = visit().open()
    page.fill("#edges", "0-1:10 1-2:1")
    assert page.is_visible("#edges-mistake")
    page.select_option("#primitive", "steiner_tree")
    assert page.is_hidden("#edges-mistake")
    assert drawn(page) == ["0 – 1, weight 10", "1 – 2, weight 1"]


def test_fields_that_cannot_be_sent_as_they_are_written_are_not(visit):
    endpoint = Endpoint(CIRCUITS)
    page = visit(endpoint).open()
    bodies = asked_of(page)
    page.fill("#samples", "0")
    run(page)
    assert bodies[-1]["samples"] == 0  # refused by the endpoint, not made another number here
    assert page.text_content("#problem-title").startswith("'samples'")
    page.fill("#samples", "")
    run(page)
    assert "samples" not in bodies[-1]
    assert len(endpoint.requests[-1].turns) == endpoint.config.serving.samples
    assert page.locator(".card").count() == endpoint.config.serving.samples
    page.click("text=More options")
    page.fill("#seed", "9223372036854775807")
    count = len(bodies)
    run(page)
    assert page.text_content("#problem-title") == "“Seed” cannot be read"
    page.fill("#seed", "")
    page.select_option("#primitive", "kclique")
    page.fill("#attribute-k", "")
    run(page)
    assert "write a whole number" in page.text_content("#problem-hint")
    page.select_option("#primitive", "graph_isomorphism")
    field = page.locator("#attributes textarea")
    field.fill("0-1 ??")
    page.locator("#editor .node").first.focus()
    page.keyboard.press("Shift+ArrowUp")  # the form is drawn anew
    assert field.input_value() == "0-1 ??"
    run(page)
    assert "“??”" in page.text_content("#problem-hint")
    assert len(bodies) == count


def test_a_link_that_is_not_all_read_is_refused(visit):
    there = visit()
    for state, named in (
        ({"primitive": "nonsense", "graph": "0-1"}, "“nonsense”"),
        ({"primitive": "vertex_cover", "graph": "0-1 ?"}, "“?”"),
        ({"primitive": "vertex_cover", "graph": "0-1", "weights": [1]}, "“weights”"),
        ({"primitive": "vertex_cover", "graph": "0-1", "attributes": {"foo": 1}}, "“foo”"),
        ({"primitive": "min_cut", "graph": "0->1:2", "attributes": {"source": 0, "sink": 9}}, "9"),
    ):
        page = there.context.new_page()
        page.goto(f"{there.url}#problem={json.dumps(state)}")
        page.wait_for_selector("body[data-ready]")
        assert page.text_content("#problem-title") == "The link holds no problem that can be read"
        assert named in page.text_content("#problem-hint"), state


def test_a_link_of_a_text_that_cannot_be_read_is_not_made(visit):
    page = visit().open()
    page.fill("#edges", "0-1 ?")
    page.click("#share")
    page.wait_for_selector("#problem-part:visible")
    assert page.text_content("#problem-title") == "The graph as text cannot be read"


def test_a_refusal_is_in_sentences_for_people(visit):
    page = visit().open()
    page.click("#clear")
    run(page)
    title, hint = page.text_content("#problem-title"), page.text_content("#problem-hint")
    assert title.startswith("Vertex cover: ")
    assert "_" not in title
    assert not hint.startswith("Field")


def test_coming_back_finds_text_drawing_and_tool_together(visit):
    there = visit()
    page = there.open()
    page.select_option("#primitive", "steiner_tree")
    page.fill("#edges", "0-1:2 1-2:3")
    page.check("#tools input[value=delete]", force=True)
    for leave in (lambda: page.reload(), lambda: (page.goto(f"{there.url}docs"), page.go_back())):
        leave()
        page.wait_for_selector("body[data-ready]")
        tool = page.locator("#tools input:checked").get_attribute("value")
        assert page.get_attribute("#editor", "data-tool") == tool
        bodies = asked_of(page)
        run(page)
        sent = bodies[-1]["problem"]
        assert sent["primitive"] == page.input_value("#primitive")
        assert len(sent["graph"]["edges"]) == len(drawn(page))
        assert len(page.input_value("#edges").split()) == len(drawn(page))


def test_an_answer_says_when_the_form_has_moved_on(visit):
    page = visit().open()
    run(page)
    assert page.is_hidden("#stale")
    page.fill("#edges", "0-1 1-2")
    assert page.is_visible("#stale")
    assert page.locator("#answer-graph .node").count() == 5  # of the graph that was asked about
    page.fill("#edges", "0-1 1-2 2-3 3-4 0-4 1-4")
    assert page.is_hidden("#stale")


@pytest.mark.parametrize("text", ["0-1 1-2 2-3", "0-1:10 1-2:1 2-3:1 3-0:1 0-2:10", "4-2 2-3 10-4"])
def test_page_and_endpoint_read_the_same_graph(visit, text):
    """Edges as text mean the same in the page and in `text` of a request."""
    primitive = "steiner_tree" if ":" in text else "vertex_cover"
    rest = "; terminal nodes: [0, 2]" if ":" in text else ""
    words = read_problem(f"{primitive.replace('_', ' ')} of {text}{rest}")
    page = visit().open()
    bodies = asked_of(page)
    page.select_option("#primitive", primitive)
    page.fill("#edges", text)
    run(page)
    sent = Problem(**bodies[-1]["problem"])
    page_says, endpoint_says = (to_instance(one, max_qubits=20) for one in (sent, words))
    assert page_says.hamiltonian == endpoint_says.hamiltonian
    assert page_says.variables == endpoint_says.variables


def test_what_the_page_sends_is_a_problem(visit):
    """Every primitive's example, as the page states it, is well posed and the same problem."""
    page = visit(Endpoint(model=None)).open()
    bodies = asked_of(page)
    page.fill("#own", CIRCUITS[0])
    for name in problem_names():
        page.select_option("#primitive", name)
        page.select_option("#example", "own")
        run(page)
        sent = bodies[-1]["problem"]
        (listed,) = [one.example for one in list_problems().problems if one.primitive == name]
        one, two = (to_instance(each, max_qubits=20) for each in (Problem(**sent), listed))
        assert one.hamiltonian == two.hamiltonian, name


@pytest.mark.parametrize("size", [(1400, 900), (390, 844), (1024, 700), (360, 640)])
def test_the_button_is_in_sight_from_the_start(visit, size):
    width, height = size
    page = visit(viewport={"width": width, "height": height}).open()
    for name in ("vertex_cover", "graph_isomorphism", "max_flow"):
        page.select_option("#primitive", name)
        page.evaluate("scrollTo(0, 0)")
        box = page.locator("#run").bounding_box()
        assert 0 <= box["y"] <= height - box["height"], (name, box)
        assert 0 <= box["x"] <= width - box["width"], (name, box)
        bar, form = (page.locator(at).bounding_box() for at in ("#ask > .actions", "#ask"))
        if width >= 992:  # where the form scrolls by itself, nothing shows below its buttons
            assert bar["y"] + bar["height"] == pytest.approx(form["y"] + form["height"], abs=1.5)
        assert overflow(page) == 0


@pytest.mark.parametrize("options", [{"viewport": {"width": 1400, "height": 900}}, PHONE])
@pytest.mark.parametrize("num_qubits", [2, 4, 12])
def test_bitstrings_lie_whatever_the_number_of_rows(visit, options, num_qubits):
    page = visit(Endpoint(model=None), **options).open()
    page.fill("#edges", " ".join(f"{i}-{i + 1}" for i in range(num_qubits - 1)))
    page.click("#start-uniform")
    page.wait_for_selector("#qubits:not(:empty)")
    run(page)
    bits = page.locator("#outcomes .bits")
    assert bits.count() >= min(2**num_qubits, 8)
    single = page.locator("#outcomes .share").first.bounding_box()["height"]
    for one in bits.all():
        assert len(one.text_content()) == num_qubits
        box = one.bounding_box()
        assert box["width"] > box["height"] or num_qubits == 2
        assert box["height"] < 2 * single  # one line
    assert overflow(page) == 0
