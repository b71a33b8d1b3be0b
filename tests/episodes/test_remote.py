"""`quasar generate --endpoint` over real sockets: servers that answer, and servers that do not."""

import json
import logging
from threading import Event

import pytest

from quasar.cli.main import main
from quasar.config import load_config, with_overrides
from quasar.datasets.io import read_generations, read_problems, write_problems
from quasar.episodes.generate import generate_remotely
from quasar.errors import ConfigError, EngineError, InputError
from quasar.policy.engines.protocol import Sampling
from quasar.policy.engines.remote import RemoteEngine, _completions_url
from quasar.system import backoff
from quasar.system.resumable import RowLog
from quasar.system.run_paths import partial
from tests.serving.endpoint import running
from tests.serving.scripted import Answered, Scripted, hanging_up
from tests.support.machine import wait_until

KEY = "sk-of-a-test-7531"
PROGRAM = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[3] q;\nbit[3] c;\nc = measure q;\n'


def completion(content: str | None = PROGRAM, *, finish="stop", calls=None, **more):
    message = {"role": "assistant", "content": content, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": 100, "completion_tokens": 30, "total_tokens": 130}
    return json.dumps({"id": "x", "choices": [choice], "usage": usage, **more}).encode()


class Model:
    """An application that answers every request by `reply`, and keeps the bodies."""

    def __init__(self, reply=lambda body: completion()):
        self.reply, self.bodies = reply, []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        content = b""
        while True:
            message = await receive()
            content += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(json.loads(content))
        head = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": self.reply(self.bodies[-1])})


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(backoff, "FIRST_BACKOFF_S", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture(scope="module")
def problems(tiny_dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("remote") / "problems.jsonl"
    write_problems(path, read_problems(tiny_dataset / "train.jsonl")[:3])
    return path


def settings(address, **remote):
    host, port = address
    values = {"url": f"http://{host}:{port}/v1", "model": "m", "concurrency": 2, "timeout_s": 10.0}
    given = {**values, "max_retries": 2, **remote}
    return with_overrides(load_config("remote"), {f"remote.{k}": v for k, v in given.items()})


def ask(app, problems, output, *, samples=2, overrides=None, **remote):
    with running(app) as address:
        config = with_overrides(settings(address, **remote), overrides or {})
        return generate_remotely(
            problems, samples=samples, output=output, config=config, progress=False
        )


def test_each_problem_is_asked_with_the_key_and_tokens_are_counted(problems, tmp_path):
    model = Model()
    app, output = Scripted(then=model), tmp_path / "g.jsonl"
    told = ask(app, problems, output, input_price=2.0, output_price=10.0)
    assert told == "600 tokens read, 180 written in 6 requests; cost 0.003"
    assert [row.completions for row in read_generations(output)] == [(PROGRAM, PROGRAM)] * 3
    assert {path for path, _ in app.asked} == {"/v1/chat/completions"}
    assert {headers["authorization"] for _, headers in app.asked} == {f"Bearer {KEY}"}
    assert all(0 <= body["seed"] < 2**31 for body in model.bodies)
    assert len({body["seed"] for body in model.bodies}) == 6
    assert model.bodies[0].keys() == {
        "model", "messages", "temperature", "top_p", "seed", "max_tokens",
    }  # fmt: skip


def test_fields_that_a_server_does_not_take_are_left_out(problems, tmp_path):
    model = Model()
    ask(
        model, problems, tmp_path / "g", samples=1, omit=["seed", "top_p"],
        max_tokens_field="max_completion_tokens",
    )  # fmt: skip
    assert model.bodies[0].keys() == {"model", "messages", "temperature", "max_completion_tokens"}


FAULTS = {
    "busy": Answered(429, b'{"error": {"message": "slow down"}}', retry_after="0"),
    "broken": Answered(500, b"Internal Server Error", kind="text/plain"),
    "overloaded": Answered(529, b"{}"),
    "no JSON": Answered(200, b"<html>hello</html>"),
    "other JSON": Answered(200, b'{"choices": [{"message": 3}]}'),
    "no choices": Answered(200, b'{"choices": []}'),
    "half an answer": Answered(200, b'{"choices": [', content_length="4000"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_is_asked_again(fault, problems, tmp_path):
    model = Model()
    told = ask(Scripted(FAULTS[fault], then=model), problems, tmp_path / "g.jsonl")
    assert told == "600 tokens read, 180 written in 7 requests"


def test_a_server_that_hangs_up_is_asked_again(problems, tmp_path):
    with hanging_up(2, completion()) as (url, taken):
        config = settings(("h", 1), url=url, concurrency=1)
        generate_remotely(problems, samples=1, output=tmp_path / "g", config=config, progress=False)
    assert len(taken) == 5


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (FAULTS["busy"], r"answered 429: slow down \(asked 3 times\)"),
        (FAULTS["broken"], r"answered 500: Internal Server Error \(asked 3 times\)"),
        (FAULTS["no JSON"], r"no chat completion came .*<html>hello</html> \(asked 3 times\)"),
        (FAULTS["no choices"], r"the answer has no choices \(asked 3 times\)"),
        (FAULTS["half an answer"], r"the connection broke .* \(asked 3 times\)"),
        (Answered(200, b"[" * 999, endless=True), "longer than remote.max_answer_bytes = 50000"),
        (Answered(200, b" ", endless=True, pause_s=0.05), r"no answer in 0.5 seconds \(asked 3"),
        (Answered(401, b'{"error": {"message": "no"}}'), "401: no; the key in the .*OPENAI_API_K"),
        (Answered(404, b"{}"), "answered 404: .*check the address"),
        (Answered(429, b"{}", retry_after="3600"), "answered 429: {}; "),
        (Answered(302, b"", location="http://elsewhere"), "answered 302: nothing in it"),
    ],
)  # fmt: skip
def test_a_fault_that_stays_is_one_line_and_nothing_is_lost(answer, told, problems, tmp_path):
    output, model = tmp_path / "g.jsonl", Model()

    class Then:
        """Two answers, then the fault."""

        asked = 0

        async def __call__(self, scope, receive, send):
            Then.asked += scope["type"] == "http"
            app = model if Then.asked <= 2 else Scripted(answer)
            await app(scope, receive, send)

    limits = {"timeout_s": 0.5, "max_answer_bytes": 50_000, "concurrency": 1}
    with pytest.raises(EngineError, match=told) as caught:
        ask(Then(), problems, output, **limits)
    assert "2 of 6 answers are kept in" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not output.exists()
    # Its own call alone goes on: another address would be another model.
    with pytest.raises(InputError, match="left by another call"):
        ask(Model(), problems, output, **limits)


def test_an_interrupted_call_goes_on_with_what_is_missing(problems, tmp_path):
    output, texts = tmp_path / "g.jsonl", iter("abcdef")
    fails = [True]

    def reply(body):
        text = next(texts)
        if fails[0] and text == "d":
            return b"nothing"
        return completion(text)

    model = Model(reply)
    with running(model) as address:
        config = settings(address, concurrency=1, max_retries=0)
        with pytest.raises(EngineError, match="3 of 6 answers are kept"):
            generate_remotely(problems, samples=2, output=output, config=config, progress=False)
        assert len(model.bodies) == 4
        texts, fails[0] = iter("DEF"), False
        told = generate_remotely(problems, samples=2, output=output, config=config, progress=False)
    assert told == "600 tokens read, 180 written in 6 requests"
    rows = [row.completions for row in read_generations(output)]
    assert rows == [("a", "b"), ("c", "D"), ("E", "F")]
    assert len({json.dumps(body["messages"]) + str(body["seed"]) for body in model.bodies}) == 6


def test_what_came_when_the_user_interrupts_is_kept(problems, tmp_path, monkeypatch):
    """The second answer is in when the first one's row is cut short by Ctrl-C."""
    output, waiting = tmp_path / "g.jsonl", Event()
    kept = RowLog.add

    def add(log, row):
        kept(log, row)
        if "task" in row and not waiting.is_set():
            assert wait_until(lambda: len(model.bodies) == 6, 10)
            waiting.set()
            raise KeyboardInterrupt

    model = Model()
    monkeypatch.setattr(RowLog, "add", add)
    with pytest.raises(KeyboardInterrupt):
        ask(model, problems, output, concurrency=6)
    with running(model) as address, pytest.raises(InputError, match="left by another call"):
        generate_remotely(
            problems, samples=2, output=output, config=settings(address), progress=False
        )
    rows = [json.loads(line) for line in partial(output).open()][1:]
    assert len(rows) == len({row["task"] for row in rows}) >= 1
    assert {row["text"] for row in rows} == {PROGRAM}


def test_the_command_answers_with_one_line_and_exit_code_2(problems, tmp_path, capsys):
    output = str(tmp_path / "g.jsonl")
    with running(Scripted(then=Scripted(*[FAULTS["no choices"]] * 9))) as (host, port):
        code = main([
            "generate", "--endpoint", f"http://{host}:{port}", "--model", "m", "--concurrency", "1",
            "--problems", str(problems), "--samples", "1", "--output", output,
            "--set", "remote.max_retries=1",
        ])  # fmt: skip
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 2
    assert told.startswith(f"quasar: m at http://{host}:{port}: the answer has no choices")


def test_the_key_stands_in_no_file_and_no_message(problems, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    echo = Model(lambda body: completion(f"# {KEY}\n{PROGRAM}"))
    ask(echo, problems, tmp_path / "g.jsonl", samples=1)
    said = json.dumps({"error": {"message": f"bad key {KEY}"}}).encode()
    refusing = Scripted(Answered(401, said), then=echo)
    with pytest.raises(EngineError) as caught:
        ask(refusing, problems, tmp_path / "h.jsonl", samples=1)
    assert "bad key [key]" in str(caught.value)
    kept = "".join(path.read_text() for path in tmp_path.iterdir() if path.is_file())
    assert "# [key]" in kept
    assert KEY not in kept + caplog.text + str(caught.value)


def call_of(name, circuit, identity="abc"):
    arguments = json.dumps({"circuit": circuit})
    return {
        "id": identity, "type": "function", "function": {"name": name, "arguments": arguments},
    }  # fmt: skip


def test_tool_calls_go_through_the_loop_and_back_as_the_servers_own(problems, tmp_path):
    record = read_problems(problems)[0]
    assert record.problem.reference_circuit
    worse = record.problem.reference_circuit.replace("rx(", "rx(0.9 + ")

    def reply(body):
        if len(body["messages"]) == 2:
            return completion(None, calls=[call_of("verify_circuit", worse)], finish="tool_calls")
        return completion(record.problem.reference_circuit)

    model, one = Model(reply), tmp_path / "one.jsonl"
    write_problems(one, [record])
    turns = {
        "generation.tool_format": "chat_template",
        "generation.max_turns": 3,
        "generation.satisfied_at": 1.0,
    }
    ask(model, one, tmp_path / "g.jsonl", samples=1, overrides=turns)
    (row,) = read_generations(tmp_path / "g.jsonl")
    assert row.completions == (record.problem.reference_circuit,)
    first, second = model.bodies
    assert [tool["function"]["name"] for tool in first["tools"]] == ["verify_circuit"]
    *_, call, result = second["messages"]
    assert json.loads(call["tool_calls"][0]["function"]["arguments"]) == {"circuit": worse}
    assert result["role"] == "tool"
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]
    assert "energy" in result["content"].lower()


def test_a_program_and_what_was_found_of_it_are_plain_messages(problems, tmp_path):
    model = Model()
    turns = {"generation.max_turns": 2, "generation.satisfied_at": 1.0}
    ask(model, problems, tmp_path / "g.jsonl", samples=1, overrides=turns)
    longest = max(model.bodies, key=lambda body: len(body["messages"]))
    roles = [message["role"] for message in longest["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert longest["messages"][2]["content"] == PROGRAM
    assert longest["max_tokens"] == 8192 - 30  # less what the server counted


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://h:1", "http://h:1/v1/chat/completions"),
        ("http://h/openai/v1/", "http://h/openai/v1/chat/completions"),
    ],
)
def test_the_address_that_is_asked(url, asked):
    assert _completions_url(url) == asked


@pytest.mark.parametrize("url", ["h:1", "ftp://h", "http://u:p@h", "http://h/v1?key=1"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigError, match=r"remote\.url"):
        with_overrides(load_config("remote"), {"remote.url": url})


def test_what_a_server_does_not_carry_out_is_refused(problems, tmp_path):
    with pytest.raises(ConfigError, match=r"generation\.constrained=false"):
        ask(Model(), problems, tmp_path / "g", overrides={"generation.constrained": True})


def test_an_engine_that_is_closed_says_so():
    config = load_config("remote", ["remote.url=http://127.0.0.1:1", "remote.model=m"])
    engine = RemoteEngine(config.remote)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.complete([], earlier=(), seed=0, sampling=Sampling())
