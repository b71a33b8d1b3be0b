"""The three front doors of the verification tool: the same report and reward for the same input."""

import asyncio
import io
import json
from types import SimpleNamespace

import anyio
import httpx
import pytest
from mcp import Client

from quasar.cli.main import main
from quasar.config import load_config
from quasar.mcp.server import create_server
from quasar.schema.verify import GRAPH_EXAMPLE
from quasar.serving.api import create_api
from quasar.serving.models import ServedModels
from quasar.serving.service import CircuitService
from quasar.verification.execution.process import GuardedVerifier

GRAPH = {
    "directed": False,
    "nodes": [{"id": i} for i in range(3)],
    "edges": [{"source": 0, "target": 1}, {"source": 1, "target": 2}],
}
ROW = {"sample_index": 7, "problem_type": "vertex_cover", "graph": GRAPH}
GOOD = GRAPH_EXAMPLE["circuit"]
ESCAPE = GOOD.replace("h q[2]", "\x1b[31m q[2]")
SLOW = GOOD.replace("x q[0];", "x q[0];\n" * 15_000)


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    path = tmp_path_factory.mktemp("problems") / "p.jsonl"
    # Another row that cannot be built does not matter.
    path.write_text('{"sample_index": 3}\n' + json.dumps(ROW) + "\n")
    return path


@pytest.fixture(scope="module")
def doors():
    """HTTP and MCP around one guarded verifier, each as a function from request to answer."""
    config = load_config("laptop")
    with GuardedVerifier(config.verification) as verifier:

        async def verify(checks):
            return await asyncio.to_thread(verifier.verify, checks)

        api = create_api(CircuitService(ServedModels(), verify, config))
        server = create_server(verifier, config)

        async def http(request):
            transport = httpx.ASGITransport(api)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return (await client.post("/v1/verify", json=request)).json()

        async def mcp(request):
            async with Client(server) as client:
                return (await client.call_tool("verify_circuit", request)).structured_content

        yield [lambda request, door=door: anyio.run(door, request) for door in (http, mcp)]


def verify(monkeypatch, text, problems, *options):
    """Exit code of `quasar verify` on a text given on standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    return main(["verify", "-", "--problems", str(problems), "--index", "7", *options])


def without_seconds(answer):
    return {**answer, "report": {**answer["report"], "seconds": None}}


@pytest.mark.parametrize("text", [GOOD, "no program"], ids=["valid", "invalid"])
def test_all_doors_give_the_same_answer(text, problems, doors, monkeypatch, capsys):
    code = verify(monkeypatch, text, problems, "--json")
    answers = [json.loads(capsys.readouterr().out)]
    answers += [door({"row": ROW, "circuit": text}) for door in doors]
    # Short form of the same graph: the same problem.
    answers += [door({"problem": GRAPH_EXAMPLE["problem"], "circuit": text}) for door in doors]
    assert code == (0 if answers[0]["report"]["valid"] else 1)
    first, *others = map(without_seconds, answers)
    assert all(other == first for other in others)
    assert first["report"]["valid"] is (text == GOOD)


def test_the_printed_report_says_what_the_answer_says(problems, doors, monkeypatch, capsys):
    assert verify(monkeypatch, f"Here:\n```qasm\n{GOOD}```", problems) == 0
    printed = " ".join(capsys.readouterr().out.split())
    answer = doors[0]({"row": ROW, "circuit": GOOD})
    report = answer["report"]
    assert "valid for vertex_cover on 3 qubits" in printed
    assert f"energy {report['expectation']['energy']:.6g}" in printed
    assert f"warm start gain {report['optimisation']['gain']:.4f}" in printed
    assert f"sum {answer['reward']['value']:.4f}" in printed
    assert report["distribution"]["most_probable"][0]["bitstring"] in printed
    for slope in report["diagnosis"]["gradient"]:
        assert f"#{slope['angle']} {slope['gate']}({slope['value']:.4g}) q" in printed
    assert "terms that cost" in printed


def test_an_invalid_circuit_exits_with_1_and_sends_no_codes_to_the_terminal(
    problems, monkeypatch, capsys
):
    assert verify(monkeypatch, ESCAPE, problems) == 1
    printed = capsys.readouterr().out
    assert "not valid for vertex_cover on 3 qubits" in printed
    assert "line 8" in printed
    assert "\x1b" not in printed


def test_a_circuit_over_the_time_limit_is_one_line(problems, monkeypatch, capsys):
    assert verify(monkeypatch, SLOW, problems, "--set", "verification.time_limit_s=0.001") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "quasar: the circuit was not verified: the verification was ended at its time limit\n"
    )


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["missing.qasm"], "missing.qasm: cannot be read: No such file"),
        (["."], ".: cannot be read: Is a directory"),
        (["-", "--index", "4"], "no row has sample_index 4; there are: 3, 7"),
        (["-", "--index", "3"], "p.jsonl line 1: field 'problem_type' is missing"),
        (["-", "--problems", "missing.jsonl"], "--problems missing.jsonl: no such file"),
        (["-", "--set", "verification.max_qubits=2"], "needs 3 qubits, the limit is 2"),
    ],
    ids=["no file", "directory", "no row", "bad row", "no problems", "too large"],
)
def test_bad_input_exits_with_2(arguments, part, problems, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    circuit, *rest = arguments
    code = main(["verify", circuit, "--problems", str(problems), "--index", "7", *rest])
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert part in captured.err
    assert captured.err.count("\n") == 1
