"""Tasks other than graph problems in the playground: what is typed is what is asked, and answers
are shown in the terms of the task."""

import json
import re
import shlex

import httpx
import pytest
from browser import PHONE, needs_browser, overflow, run
from endpoint import Endpoint
from test_asked_tasks import TRAINED, ghz

from quasar.circuits.circuit import Circuit, Gate
from quasar.config.task_names import GRAPH_TASK, task_names
from quasar.datasets.task_records import TaskRecord
from quasar.schema.catalogue import list_tasks
from quasar.tasks import get_task

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = needs_browser
TASKS = [name for name in task_names() if name != GRAPH_TASK]
WRONG = Circuit(3, (Gate("h", (0,)), Gate("cx", (0, 1)))).to_qasm()
# Task, family, field, text, what the page must name of it.
UNREADABLE = (
    ("state_preparation", "ghz", "n_qubits", "three", "whole number"),
    ("state_preparation", "known", "states", "|0>|2>", "“2”"),
    ("state_preparation", "product", "angles", "1.2", "“1.2”"),
    ("state_preparation", "graph", "edges", "0-1 x", "“x”"),
    ("state_preparation", "sparse", "amplitudes", "00 0.6\n2 0.8", "“2 0.8”"),
    ("state_preparation", "sparse", "amplitudes", "00 0.6\n011 0.8", "“011”"),
    ("state_preparation", "sparse", "amplitudes", "00 0.6\n00 0.8", "twice"),
    ("state_preparation", "sparse", "amplitudes", "00 0.6 90x", "“90x”"),
    ("state_preparation", "real", "amplitudes", "0 0.6\n1 0.8 90°", "real"),
    ("state_preparation", "gaussian", "mean", "1e999", "“1e999”"),
    ("ground_state", "heisenberg_chain", "parameters-couplings", "1 ?", "“?”"),
    ("ground_state", "custom", "hamiltonian", "ZZ\n0.5 XI", "“ZZ” has no coefficient"),
    ("ground_state", "custom", "hamiltonian", "-1 ZZ\n0.5 XII", "“XII” has 3 letters"),
    ("ground_state", "custom", "hamiltonian", "-1 ZZ\n0.5 X7", "qubit 7"),
    ("ground_state", "custom", "hamiltonian", "-1 ZQ", "“-1 ZQ”"),
    ("stabiliser", "state", "stabilisers", "+XX +ZA", "“+ZA”"),
)  # fmt: skip


def choose(page, task, family=None):
    page.select_option("#task", task)
    if family:
        page.select_option("#family", family)


def verify_mine(page, program):
    page.check("input[value=verify]", force=True)
    page.fill("#own", program)
    run(page)


def asked_of(page) -> list[dict]:
    bodies: list[dict] = []
    paths = ("/v1/circuits", "/v1/verify")
    page.on(
        "request",
        lambda request: (
            request.url.endswith(paths) and bodies.append(json.loads(request.post_data))
        ),
    )
    return bodies


def instance_of(row):
    return TaskRecord.from_dict({"sample_index": 0, **row}).problem


def test_every_family_of_every_task_is_stated_as_its_example(visit):
    """What the page makes of an example is the same instance, and is verified."""
    there = visit(Endpoint(model=None))
    page = there.open()
    bodies = asked_of(page)
    page.fill("#own", WRONG)
    assert page.locator("#task option").all_text_contents() == [
        "graph problem",
        *(name.replace("_", " ") for name in TASKS),
    ]
    for listed in list_tasks().tasks:
        for family, form in listed.forms.items():
            choose(page, listed.task, family)
            run(page)
            assert instance_of(bodies[-1]["row"]) == instance_of(form.example), family
            assert page.is_hidden("#graph-part")
    assert len(bodies) == sum(len(listed.forms) for listed in list_tasks().tasks)
    assert there.faults == []


def test_what_cannot_be_read_is_shown_and_not_sent(visit):
    there = visit()
    page = there.open()
    bodies = asked_of(page)
    for task, family, field, text, named in UNREADABLE:
        choose(page, task, family)
        page.fill(f"#field-{field}", text)
        assert named in page.text_content(f"#field-{field}-mistake"), (text, named)
        assert page.get_attribute(f"#field-{field}", "aria-invalid") == "true"
        run(page)
        assert page.text_content("#problem-title").endswith("cannot be read")
        assert named.lower() in page.text_content("#problem-hint").lower()
        assert page.input_value(f"#field-{field}") == text
    assert bodies == []
    assert there.faults == []


def test_what_is_typed_is_what_is_asked(visit):
    page = visit(Endpoint(model=None)).open()
    bodies = asked_of(page)
    page.fill("#own", WRONG)

    def sent(task, family, **texts):
        choose(page, task, family)
        for field, text in texts.items():
            page.fill(f"#field-{field}", text)
        run(page)
        return bodies[-1]["row"]

    amplitudes = "00 1/sqrt(2)\n|11> √(1/2) pi/2; 01 0.0 −90°"
    row = sent("state_preparation", "sparse", amplitudes=amplitudes)
    assert row["instance"]["amplitudes"] == {
        "00": [pytest.approx(0.5**0.5), 0],
        "11": [0, pytest.approx(0.5**0.5)],
        "01": [0, 0],
    }
    assert page.locator("#understood tbody tr").count() == 3
    row = sent("state_preparation", "known", states="|0⟩|−⟩ +i")
    assert row["instance"] == {"states": ["0", "-", "+i"]}
    row = sent("ground_state", "custom", hamiltonian="-1.0 ZZI\n0.5*X0 Y1\n+.25 III")
    assert row["instance"] == {"hamiltonian": "-1.0*Z0*Z1 + 0.5*X0*Y1 + +.25*I"}
    assert row["n_qubits"] == 3
    row = sent("ground_state", "heisenberg_chain", n_qubits="6")
    assert instance_of(row).content["parameters"]["couplings"] == [1.0] * 5
    row = sent("stabiliser", "state", stabilisers="-XX, ZZ")
    assert row["instance"] == {"stabilisers": ["-XX", "ZZ"]}


def test_a_state_is_shown_by_its_amplitudes(visit):
    page = visit(Endpoint(model=None)).open()
    choose(page, "state_preparation", "ghz")
    verify_mine(page, Circuit(3, (Gate("h", (0,)),)).to_qasm())
    assert page.text_content("#status") == "Valid, not done yet: reward 0."
    assert page.text_content("#headline").startswith("Fidelity 0.2500 (wanted 0.999")
    rows = page.locator("#task-shown tbody tr").all_text_contents()
    assert rows == ["|000⟩0.7070°0.7070°✓right", "|100⟩00.7070°✗wrong", "|111⟩0.7070°0✗wrong"]
    assert page.locator("#circuit .gate").count() == 1
    verify_mine(page, ghz(3))
    assert page.text_content("#status").startswith("Valid, done: reward 1")
    assert page.locator("#task-shown td.wrong").count() == 0
    assert page.is_hidden("#graph-result")
    page.select_option("#task", GRAPH_TASK)
    assert page.is_visible("#stale")
    assert page.is_visible("#editor")


def test_a_ground_state_is_shown_by_its_levels(visit):
    page = visit(Endpoint(model=None)).open()
    choose(page, "ground_state", "h2_parity")
    page.click("#start-baseline")
    page.wait_for_selector("#qubits:not(:empty)")
    assert page.text_content("#qubits").startswith("2 qubits (the best answer without skill")
    run(page)
    assert page.text_content("#status") == "Valid, not done yet: reward 0."
    task = get_task("ground_state")
    instance = task.read("h2_parity", {"parameters": {"bond_length": 0.75}})
    facts = task.facts(instance)
    error = 1e3 * facts.room
    assert f"Error: {error:.1f} mHa; a success has at most 1.60." in page.text_content(
        "#task-shown"
    )
    told = page.get_attribute("#task-shown svg", "aria-label")
    assert f"ground state −{-facts.ground.energy:.4f}" in told
    assert page.locator("#task-shown tbody tr").count() > 0
    verify_mine(page, task.reference(instance, facts))
    assert page.text_content("#status").startswith("Valid, done")
    assert page.locator(".level.own.good").count() == 1


def test_a_tableau_says_which_rows_hold(visit):
    page = visit(Endpoint(model=None)).open()
    choose(page, "stabiliser", "clifford")
    page.fill("#field-logical_x", "+XX -IX")
    verify_mine(page, Circuit(2, (Gate("cx", (0, 1)),)).to_qasm())
    states = page.locator("#task-shown .state").all_text_contents()
    assert states == ["✓ holds", "± the sign is wrong", "✓ holds", "✓ holds"]
    verify_mine(page, Circuit(2, (Gate("h", (0,)),)).to_qasm())
    assert page.locator("#task-shown tbody tr").nth(0).text_content() == "X0 →+XX✗ does not hold+ZI"
    page.fill("#field-logical_x", "+XX +IX")
    verify_mine(page, Circuit(2, (Gate("cx", (0, 1)),)).to_qasm())
    assert page.text_content("#status").startswith("Valid, done: reward 1")


def test_a_model_that_knows_the_task_writes(visit):
    there = visit(Endpoint([ghz(3), WRONG, "no program"], *TRAINED))
    there.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = there.open()
    choose(page, "state_preparation", "ghz")
    page.fill("#samples", "3")
    run(page)
    assert page.text_content("#status").startswith("Best of 2 valid circuits from 3 candidates")
    why = page.locator(".card .why").all_text_contents()
    assert why == ["★ best", "valid", "syntax"]
    assert "fidelity above the best trivial" in page.text_content("#figures")
    page.locator(".card").nth(1).click()
    assert "does not do what is asked" in page.text_content("#candidate-why")
    page.click("#candidate-draw button")
    page.wait_for_selector("#result-title:text-is('Turn 1, candidate 2')")
    page.click("text=Copy curl")
    page.wait_for_selector("#copied:text-is('curl copied')")
    *_, body = shlex.split(page.evaluate("navigator.clipboard.readText()"))
    answer = httpx.post(f"{there.url}v1/verify", json=json.loads(body)).json()
    assert answer["report"]["task"]["success"] is False
    page.click("text=Copy Python (ask again)")
    page.wait_for_selector("#copied:text-is('Python (ask again) copied')")
    compile(page.evaluate("navigator.clipboard.readText()"), "copied", "exec")
    assert there.faults == []


def test_a_model_that_does_not_know_the_task_says_so_and_verifying_is_offered(visit):
    page = visit().open()
    choose(page, "stabiliser")
    assert "was not trained on this task (it was on graph problems)" in page.text_content(
        "#trained"
    )
    run(page)
    assert page.text_content("#problem-title").startswith(
        "This model was not trained on stabiliser"
    )
    assert page.is_hidden("#search")
    page.click("#verify-instead")
    assert page.evaluate("document.activeElement.id") == "own"
    assert page.text_content("#run") == "Verify the circuit"
    assert page.is_hidden("#problem-part")


def test_a_link_holds_the_task(visit):
    there = visit()
    there.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = there.open()
    choose(page, "state_preparation", "sparse")
    page.fill("#field-amplitudes", "00 1/sqrt(2)\n11 1/sqrt(2) 90°")
    page.click("#share")
    page.wait_for_selector("#status:text-matches('^Link copied')")
    again = there.context.new_page()
    again.goto(page.evaluate("navigator.clipboard.readText()"))
    again.wait_for_selector("body[data-ready]")
    assert again.input_value("#task") == "state_preparation"
    assert again.input_value("#family") == "sparse"
    assert again.input_value("#field-amplitudes") == "00 1/sqrt(2)\n11 1/sqrt(2) 90°"
    assert again.is_hidden("#graph-part")
    for state, named in (
        ({"task": "nonsense", "family": "ghz", "fields": {}}, "“nonsense”"),
        ({"task": "stabiliser", "family": "cat", "fields": {}}, "“cat”"),
        ({"task": "state_preparation", "family": "ghz", "fields": {"n_qubits": "3"}}, "“sign”"),
        ({"task": "state_preparation", "family": "w", "fields": {"k": "3"}}, "“k”"),
        ({"task": "state_preparation", "family": "w", "fields": {"n_qubits": "3"}, "x": 1}, "“x”"),
    ):
        broken = there.context.new_page()
        broken.goto(f"{there.url}#problem={json.dumps(state)}")
        broken.wait_for_selector("body[data-ready]")
        assert broken.text_content("#problem-title") == "The link holds no problem that can be read"
        assert named in broken.text_content("#problem-hint"), state


def test_texts_are_kept_while_another_task_is_looked_at(visit):
    page = visit().open()
    page.fill("#edges", "0-1 1-2")
    choose(page, "stabiliser", "state")
    page.fill("#field-stabilisers", "XX ZZ")
    choose(page, "ground_state")
    choose(page, "stabiliser")
    assert page.input_value("#family") == "state"
    assert page.input_value("#field-stabilisers") == "XX ZZ"
    page.select_option("#task", GRAPH_TASK)
    assert page.input_value("#edges") == "0-1 1-2"


@pytest.mark.parametrize(
    "options", [{"viewport": {"width": 1400, "height": 900}}, {**PHONE, "color_scheme": "dark"}]
)
def test_every_task_fits_wide_and_narrow(visit, options):
    page = visit(Endpoint(model=None), **options).open()
    width = page.evaluate("window.innerWidth")
    for task, family, size in (
        ("state_preparation", "gaussian", "5"),
        ("ground_state", "hubbard_chain", "6"),
        ("stabiliser", "repetition", "41"),
    ):
        choose(page, task, family)
        page.fill("#field-n_qubits", size)
        page.evaluate("scrollTo(0, 0)")
        button = page.locator("#run").bounding_box()
        assert button["y"] + button["height"] <= page.evaluate("window.innerHeight")
        page.click("#start-plain")
        page.wait_for_selector(f"#qubits:has-text('{size} qubits')")
        run(page)
        assert re.match("Valid, not done yet", page.text_content("#status")), task
        assert overflow(page) == 0, task
        assert page.locator("#task-shown").bounding_box()["width"] <= width


def two_models():
    settings = (*TRAINED, "serving.samples=2", "generation.constrained=true")
    knows_both = (settings[0].replace("[", f"[{GRAPH_TASK},"), *settings[1:])
    return Endpoint(["no program"], model="graphs", others={"states": ([ghz(3)], knows_both)})


def test_the_model_that_knows_the_task_answers_and_where_several_do_one_is_chosen(visit):
    there = visit(two_models())
    page = there.open()
    bodies = asked_of(page)
    assert page.text_content("#endpoint") == "models graphs, states"
    assert page.locator("#model option").all_text_contents() == ["graphs", "states"]
    assert page.text_content("#trained").startswith("graphs answers: trained on 3 problems of 3–6")
    assert page.input_value("#samples") == "4"
    assert not page.is_checked("#constrained")
    choose(page, "state_preparation", "ghz")
    assert page.is_hidden("#model-part")
    assert page.text_content("#trained") == "states answers: trained on “ghz” of 3–5 qubits."
    assert page.input_value("#samples") == "2"
    assert page.is_checked("#constrained")
    run(page)
    assert "model" not in bodies[-1]
    assert "constrained" not in bodies[-1]
    assert "(states, " in page.text_content("#status")
    choose(page, "state_preparation", "w")
    assert page.text_content("#trained") == "states answers: trained on this task, not on “w”."
    page.select_option("#task", GRAPH_TASK)
    assert page.input_value("#model") == "graphs"  # none was chosen yet
    page.select_option("#model", "states")
    assert page.text_content("#trained").startswith("states answers: trained on 3 problems")
    page.fill("#samples", "3")
    run(page)
    assert (bodies[-1]["model"], bodies[-1]["samples"]) == ("states", 3)
    choose(page, "stabiliser", "repetition")
    page.select_option("#task", GRAPH_TASK)
    assert (page.input_value("#model"), page.input_value("#samples")) == ("states", "3")
    assert there.faults == []


def test_tasks_that_no_model_knows_are_to_verify_only(visit):
    page = visit(two_models()).open()
    texts = page.locator("#task option").all_text_contents
    assert [text for text in texts() if "verify only" in text] == ["ground state (to verify only)"]
    choose(page, "ground_state")
    assert page.text_content("#trained").startswith("No model here was trained on this task")
    run(page)
    assert page.text_content("#problem-title").startswith(
        "No model of this endpoint was trained on ground_state"
    )
    page.click("#verify-instead")
    assert not [text for text in texts() if "verify only" in text]


def test_better_angles_are_offered_where_answers_have_some(visit):
    page = visit(Endpoint([ghz(3)], *TRAINED)).open()
    bodies = asked_of(page)
    choose(page, "ground_state", "h2_parity")
    assert page.is_visible("#optimise-part")
    page.check("#optimise")
    choose(page, GRAPH_TASK)
    assert page.is_visible("#optimise-part")
    run(page)
    assert bodies[-1]["tools"] == ["verify", "optimise"]
    choose(page, "state_preparation", "ghz")
    assert page.is_hidden("#optimise-part")
    run(page)
    assert "tools" not in bodies[-1]
