"""The MCP server in a process of its own, over stdio and HTTP, asked by the SDK's own client."""

import json
import socket
import subprocess
import sys

import anyio
import httpx
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

from quasar.cli.main import main
from quasar.config.task_names import task_names
from quasar.problems import problem_names
from quasar.schema.verify import (
    GRAPH_EXAMPLE,
    ROW_EXAMPLE,
    Problem,
    VerifyAnswer,
    VerifyRequest,
    to_instance,
)
from quasar.serving.keys import new_key
from tests.support.machine import scaled, wait_until
from tests.support.ports import free_port

LIMITS = ("verification.time_limit_s=0.4", "verification.max_qubits=16")
PATH3 = GRAPH_EXAMPLE["problem"]
PATH16 = {
    "primitive": "vertex_cover",
    "graph": {"nodes": list(range(16)), "edges": [[i, i + 1] for i in range(15)]},
}


def talk(*conversation):
    """Run the given asynchronous functions, in order, with one client; list of what they return."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "quasar", "mcp", *(word for key in LIMITS for word in ("--set", key))],
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
    )

    async def run():
        async with Client(parameters) as client:
            return [await part(client) for part in conversation]

    return anyio.run(run)


def call(name, arguments=None):
    return lambda client: client.call_tool(name, arguments or {})


def slow_circuit() -> str:
    """Within all limits on text and gates, but seconds of work: 19 200 gates on 16 qubits."""
    layer = " ".join(f"u3(0.1, 0.2, 0.3) q[{i}];" for i in range(16))
    header = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nbit[16] c;\nqubit[16] q;\n'
    once = "gate many a { " + "u3(0.1, 0.2, 0.3) a; " * 300 + "}\n"
    return header + once + layer + "many q;\n" * 4 + "c = measure q;\n"


@pytest.fixture(scope="module")
def answers():
    """What one session answered, by name; the slow circuit comes before good ones."""
    asked = {
        "tools": lambda client: client.list_tools(),
        "problems": call("list_problems"),
        "described": call("describe_problem", {"problem": PATH3}),
        "slow": call("verify_circuit", {"problem": PATH16, "circuit": slow_circuit()}),
        "verified": call("verify_circuit", GRAPH_EXAMPLE),
        "by row": call("verify_circuit", ROW_EXAMPLE),
        "invalid": call("verify_circuit", {"problem": PATH3, "circuit": "no program"}),
        "no circuit": call("verify_circuit", {"problem": PATH3}),
        "no problem": call("verify_circuit", {"circuit": "x"}),
        "misspelt": call("list_problems", {"name": "x"}),
        "unknown": call("describe_problem", {"problem": {"primitive": "cut", "graph": {}}}),
        "tasks": call("list_tasks"),
        "in words": call("describe_task", {"text": "prepare a GHZ state on three qubits"}),
        "no task": call("describe_task", {"text": "max cut of 0-1 1-2"}),
        "unclear task": call("describe_task", {"text": "prepare a GHZ state"}),
        "no tool": no_such_tool,
    }
    return dict(zip(asked, talk(*asked.values()), strict=True))


async def no_such_tool(client):
    with pytest.raises(
        MCPError, match="valid: verify_circuit, list_problems, describe_problem, list_tasks"
    ):
        await client.call_tool("simulate", {})


def structured(answer) -> dict:
    """The structured content, which must be what the text says too."""
    assert not answer.is_error, answer.content
    assert json.loads(answer.content[0].text) == answer.structured_content
    return answer.structured_content


def test_tools_are_listed_with_the_one_schema(answers):
    tools = {tool.name: tool for tool in answers["tools"].tools}
    problems = ["verify_circuit", "list_problems", "describe_problem"]
    assert list(tools) == [*problems, "list_tasks", "describe_task"]
    assert all(tool.description and tool.output_schema for tool in tools.values())
    verify = tools["verify_circuit"]
    assert verify.input_schema == VerifyRequest.model_json_schema()
    assert verify.output_schema == VerifyAnswer.model_json_schema(mode="serialization")


def test_a_circuit_is_verified_after_one_that_ran_into_its_limit(answers):
    assert answers["slow"].is_error
    (said,) = answers["slow"].content
    assert said.text == (
        "the circuit was not verified: the verification was ended at its time limit"
    )
    answer = structured(answers["verified"])
    assert answer["report"]["reached"] == "optimisation"
    assert answer["report"]["diagnosis"]["violated_terms"]
    assert answer["reward"]["value"] > 0
    assert "angles to move" in answer["observation"]
    assert structured(answers["by row"])["report"]["diagnosis"] is None


def test_an_invalid_circuit_is_an_answer(answers):
    answer = structured(answers["invalid"])
    assert answer["report"]["error"]["kind"] == "syntax"
    assert answer["reward"]["value"] == -1.0


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("no circuit", "'circuit' is missing"),
        ("no problem", "give either 'problem' or 'row'"),
        ("misspelt", "unknown field 'name'"),
        ("unknown", "unknown primitive 'cut'"),
        ("no task", "the text asks for none of the tasks"),
        ("unclear task", "the number of qubits is not said"),
    ],
)
def test_bad_input_is_one_line_that_says_what_is_wrong(answers, name, part):
    assert answers[name].is_error
    (said,) = answers[name].content
    assert part in said.text
    assert "\n" not in said.text


def test_problems_are_listed_with_examples_that_build(answers):
    problems = structured(answers["problems"])["problems"]
    assert [problem["primitive"] for problem in problems] == list(problem_names())
    for problem in problems:
        built = to_instance(Problem(**problem["example"]), max_qubits=16)
        assert built.num_qubits in problem["qubits"]


def test_a_task_in_words_is_a_row_that_is_verified(answers):
    listed = {task["task"]: task for task in structured(answers["tasks"])["tasks"]}
    assert list(listed) == [name for name in task_names() if name != "ising"]
    assert listed["stabiliser"]["parts"]["exact"]["weight"] == 0.4
    described = structured(answers["in words"])
    assert described["row"]["family"] == "ghz"
    assert "GHZ state" in described["question"]
    circuit = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nbit[3] c;\nqubit[3] q;\nh q[0];\n'
    circuit += "cx q[0], q[1];\ncx q[1], q[2];\nc = measure q;"
    (answer,) = talk(call("verify_circuit", {"row": described["row"], "circuit": circuit}))
    assert structured(answer)["report"]["task"]["success"] is True


def test_a_problem_is_described_as_the_verifier_has_it(answers):
    described = structured(answers["described"])
    problem = to_instance(Problem(**PATH3), max_qubits=16)
    assert described["num_qubits"] == 3
    assert described["variables"] == list(problem.variables)
    assert described["num_terms"] == len(described["terms"])
    terms = [(term["coefficient"], tuple(term["wires"])) for term in described["terms"]]
    assert terms == list(problem.hamiltonian.interactions())
    assert "Qubit i holds variable i" in described["encoding"]


def wait_for(port: int, server: subprocess.Popen) -> None:
    def listens() -> bool:
        assert server.poll() is None, "the server ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    assert wait_until(listens, 60, every_s=0.1), "the server does not listen"


def test_over_http_it_answers_several_clients_as_over_stdio(answers, tmp_path):
    port, keys = free_port(), tmp_path / "keys"
    key = {"Authorization": f"Bearer {new_key('agent', keys)}"}
    options = ("--set", f"serving.port={port}", "--set", "verification.max_qubits=16")
    options += ("--set", f"serving.keys_file={keys}")
    server = subprocess.Popen([sys.executable, "-m", "quasar", "mcp", "--http", *options])
    url = f"http://127.0.0.1:{port}/mcp"

    async def ask(found):
        http = create_mcp_http_client(headers=key)
        async with Client(streamable_http_client(url, http_client=http)) as client:
            found.append(await client.call_tool("verify_circuit", GRAPH_EXAMPLE))

    async def ask_together():
        found = []
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(ask, found)
        return found

    try:
        wait_for(port, server)
        found = [structured(answer) for answer in anyio.run(ask_together)]
        wrong = {"Authorization": "Bearer qsr-wrong"}
        strangers = [httpx.post(url, json={}, headers=h).status_code for h in ({}, wrong)]
    finally:
        server.terminate()
        server.wait(timeout=scaled(30))
    expected = structured(answers["verified"])
    for answer in (*found, expected):
        del answer["report"]["seconds"]
    assert found == [expected] * 3
    assert strangers == [401, 401]


def test_over_http_it_is_not_open_to_others_without_keys(monkeypatch, capsys):
    monkeypatch.delenv("QUASAR_API_KEYS", raising=False)
    assert main(["mcp", "--http", "--set", "serving.host=0.0.0.0"]) == 2
    assert "serving.host 0.0.0.0 is not loopback" in capsys.readouterr().err
