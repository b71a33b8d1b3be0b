"""`quasar ask` against a real endpoint over HTTP."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from endpoint import GOOD, WORSE, Endpoint, running
from rich.console import Console
from scripted import Answered, Scripted, events, refused

from quasar.cli.main import main
from quasar.cli.views.answer import Progress, answer_text
from quasar.client import CircuitAnswer, Client
from quasar.config import VerificationConfig
from quasar.schema.circuits import GrownPiece, TurnGrown, TurnWritten
from quasar.serving.keys import new_key, read_keys
from tests.support.machine import scaled, wait_until

TEXTS = (WORSE, GOOD, "nonsense")
WORDS = "minimum vertex cover of 0-1 1-2"
ROW = {
    "sample_index": 7,
    "problem_type": "vertex_cover",
    "graph": {"nodes": [{"id": 0}, {"id": 1}, {"id": 2}],
              "edges": [{"source": 0, "target": 1}, {"source": 1, "target": 2}]},
}  # fmt: skip


@pytest.fixture(scope="module")
def url():
    with running(Endpoint(TEXTS).api) as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture(autouse=True)
def _environment(url, monkeypatch):
    monkeypatch.setenv("QUASAR_URL", url)
    monkeypatch.delenv("QUASAR_API_KEY", raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def ask(capsys):
    """(exit code, stdout, stderr) of one command."""

    def run(*arguments):
        capsys.readouterr()
        code = main(["ask", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


@contextlib.contextmanager
def serving(app):
    with running(app) as (host, port):
        yield f"http://{host}:{port}"


def test_the_search_is_told_and_the_answer_shown(ask):
    options = ["--samples", 3, "--turns", 2, "--seed", 5, "--device", "depolarizing"]
    code, out, err = ask(WORDS, *options)
    assert code == 0
    assert err.splitlines() == [
        "vertex_cover on 3 qubits: 3 candidates a turn, 2 turns, seed 5, model run/final",
        "turn 1: 3 candidates, 2 valid, best reward 0.428",
        "turn 2: 3 candidates, 2 valid, best reward 0.428",
    ]
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == "best of 4 valid circuits from 6 candidates"
    assert "answer           [1]: optimal" in lines
    assert "measured         as 010 with probability 0.3046" in lines
    assert "on depolarizing  4 two-qubit gates, depth 14" in lines
    assert any(line.split() == ["reward", "(weighted", "sum)", "0.4284"] for line in lines)
    assert any(line.startswith("q_1: ┤ H ├──■──") for line in lines)
    assert GOOD.strip() in out


def test_the_program_alone_goes_into_verify(url, tmp_path, capsys):
    problems = tmp_path / "p.jsonl"
    problems.write_text(json.dumps(ROW) + "\n")
    quasar = [sys.executable, "-m", "quasar"]
    command = [*quasar, "ask", WORDS, "--qasm", "--samples", "2"]
    written = subprocess.run(command, capture_output=True, check=True)
    assert written.stdout.decode() == GOOD.strip() + "\n"
    command = [*quasar, "verify", "-", "--problems", str(problems), "--index", "7"]
    assert subprocess.run(command, input=written.stdout, capture_output=True).returncode == 0


def test_json_and_a_file(ask, tmp_path):
    file = tmp_path / "best.qasm"
    code, out, _ = ask(WORDS, "--json", "--samples", 2, "--output", file)
    assert code == 0
    answer = CircuitAnswer.model_validate_json(out)
    assert (answer.circuit, answer.answer) == (GOOD.strip(), [1])
    assert file.read_text() == GOOD.strip() + "\n"


def test_a_program_in_the_style_asked_for(ask):
    code, out, _ = ask(WORDS, "--qasm", "--samples", 2, "--style", "canonical")
    assert (code, out.count("const float")) == (0, 2)
    with pytest.raises(SystemExit) as left:
        ask(WORDS, "--style", "short")
    assert left.value.code == 2


def test_a_row_of_a_problem_file(ask, tmp_path):
    problems = tmp_path / "p.jsonl"
    problems.write_text(json.dumps(ROW) + "\n")
    code, out, _ = ask("--problems", problems, "--index", 7, "--json", "--samples", 2)
    assert (code, json.loads(out)["circuit"]) == (0, GOOD.strip())
    code, _, err = ask("--problems", problems, "--index", 8)
    assert (code, err.count("\n")) == (2, 1)
    assert "no row has sample_index 8" in err


@pytest.fixture
def hypergraph(tmp_path):
    """One cut problem under the right Hamiltonian and under the published one."""
    row = {
        "problem_type": "hypermaxcut",
        "graph": {"nodes": [0, 1, 2], "hyperedges": [[0, 1, 2], [0, 1]]},
        "ansatz": "sim_5",
        "n_layers": 2,
        "reference_circuit": GOOD,
        "solution": {"optimization_time": 1.0},
    }
    rows = [
        row | {"sample_index": index, "encoding": encoding}
        for index, encoding in enumerate(("sound", "published"))
    ]
    problems = tmp_path / "p.jsonl"
    problems.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return problems


def test_what_ask_answers_for_a_row_verify_finds_for_it_too(ask, hypergraph, capsys, tmp_path):
    """A row's encoding, ansatz and layers are its own."""
    rewards, energies = [], []
    endpoint = Endpoint((GOOD,))
    with serving(endpoint.api) as url:
        for index in (0, 1):
            row = ("--problems", str(hypergraph), "--index", str(index))
            program = tmp_path / f"{index}.qasm"
            code, out, _ = ask(*row, "--url", url, "--json", "--samples", 1, "--output", program)
            assert code == 0
            answer = json.loads(out)
            options = ("--config", "published", "--json")
            assert main(["verify", str(program), *row, *options]) == 0
            verified = json.loads(capsys.readouterr().out)
            assert answer["reward"] == verified["reward"]["value"]
            assert answer["report"]["expectation"] == verified["report"]["expectation"]
            rewards.append(answer["reward"])
            energies.append(answer["report"]["expectation"]["energy"])
        given = json.loads(hypergraph.read_text().splitlines()[1])
        with Client(url) as client:
            assert client.circuit(given, samples=1).reward == rewards[1]
            assert client.verify(GOOD, given).reward.value == rewards[1]
        ask(*row, "--url", url, "--ansatz", "qaoa")
    assert energies[0] != energies[1]
    asked = [asked.turns[0].messages[-1]["content"] for asked in endpoint.requests]
    assert all(text.endswith("Ansatz: sim_5 with 2 layers.") for text in asked[:-1])
    assert asked[-1].endswith("Ansatz: qaoa with 2 layers.")


def test_the_text_of_standard_input(ask, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WORDS.encode())))
    code, out, _ = ask("-", "--json", "--samples", 2)
    assert (code, json.loads(out)["answer"]) == (0, [1])


def test_no_valid_circuit_is_exit_code_1(ask, tmp_path):
    file = tmp_path / "none.qasm"
    with serving(Endpoint(("nonsense",)).api) as url:
        for shown in ([], ["--qasm"], ["--json"]):
            code, out, err = ask(WORDS, "--url", url, "--samples", 2, "--output", file, *shown)
            assert code == 1
            assert "turn 1: 2 candidates, 0 valid, best reward –" in err
            assert (out == "") == (shown == ["--qasm"])
            assert "none of the 2 candidates is a valid circuit" in (out or err)
    assert not file.exists()
    with serving(Endpoint(("nonsense",)).api) as url:
        _, out, _ = ask(WORDS, "--url", url, "--samples", 2)
    assert "2            syntax: line 1" in out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "give the problem in words"),
        ([WORDS, "--problems", "x"], "give the problem in words"),
        ([WORDS, "--index", "3"], "--index goes with --problems"),
        (["--problems", "x"], "name a row by --index"),
        (["--problems", "nowhere.jsonl", "--index", "3"], "no such file"),
        (["what is a graph"], "the text names no problem"),
        ([WORDS, "--samples", "99"], "samples: 99 is over the limit of 32; ask for at most 32"),
        ([WORDS, "--temperature", "9"], "'temperature' must be at most 5"),
        ([WORDS, "--ansatz", "qaao"], "did you mean 'qaoa'?"),
        ([WORDS, "--url", "localhost:8000"], "write it as http://127.0.0.1:8000"),
        ([WORDS, "--output", "nowhere/x.qasm"], "--output nowhere/x.qasm: nowhere is no directory"),
        ([WORDS, "--api-key-file", "nowhere"], "--api-key-file nowhere: cannot be read"),
        ([WORDS, "--api-key-file", os.devnull], "is empty"),
        (["x" * 20_001], "at most 20000 characters"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(ask, arguments, part):
    code, out, err = ask(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("quasar: ")
    assert part in err


def test_nothing_answers(ask, monkeypatch):
    monkeypatch.setattr("quasar.system.backoff.FIRST_BACKOFF_S", 0.01)
    code, out, err = ask(WORDS, "--url", "http://127.0.0.1:9")
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("quasar: nothing answers at http://127.0.0.1:9 (")
    assert "start it with quasar serve --checkpoint runs/laptop" in last
    assert "--url" in last


def test_a_key_of_a_file_or_the_environment(ask, tmp_path, monkeypatch):
    key = new_key("alice", tmp_path / "keys.txt")
    keys = read_keys((tmp_path / "keys.txt").read_text(), source="keys.txt")
    file = tmp_path / "key"
    file.write_text(key + "\n")
    with serving(Endpoint(TEXTS, keys=keys).api) as url:
        code, _, err = ask(WORDS, "--url", url)
        assert (code, err.count("\n")) == (2, 1)
        assert "the request has no API key; give its key: api_key, QUASAR_API_KEY" in err
        code, out, err = ask(WORDS, "--url", url, "--api-key-file", file)
        assert code == 0
        assert key not in out + err
        monkeypatch.setenv("QUASAR_API_KEY", key)
        assert ask(WORDS, "--url", url)[0] == 0


CODES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\r\x00[red]"


def hostile(value):
    """The answer with terminal codes in every text."""
    if isinstance(value, str):
        return value + CODES
    if isinstance(value, list):
        return [hostile(item) for item in value]
    if isinstance(value, dict):
        return {key: hostile(item) for key, item in value.items()}
    return value


def hostile_answer(texts) -> dict:
    answer = Endpoint(texts).ask().json()
    made = hostile(answer) | {"stopped": answer["stopped"], "report": None}
    made["answer"] = {CODES: [CODES]}
    made["reward_parts"] = {CODES + str(i): 0.5 for i in range(1000)}
    made["compiled"] = {"device": CODES, "message": CODES}
    if answer["valid"]:
        made["circuit"] = f"{answer['circuit']}// {CODES}\n" + f"// {CODES * 100}\n" * 1000
    return made


@pytest.mark.parametrize("shown", [[], ["--json"], ["--qasm"]], ids=str)
@pytest.mark.parametrize("texts", [TEXTS, ("nonsense",)], ids=["valid", "none valid"])
def test_terminal_codes_of_the_endpoint_do_not_reach_the_terminal(ask, tmp_path, texts, shown):
    answer = hostile_answer(texts)
    start = {"model": CODES, "seed": 1, "samples": 1, "turns": 1,
             "problem": {"primitive": CODES, "num_qubits": 2}}  # fmt: skip
    stream = events(("start", start), ("answer", answer))
    file = tmp_path / "x.qasm"
    with serving(Scripted(stream)) as url:
        code, out, err = ask(WORDS, "--url", url, "--output", file, *shown)
    assert code == (0 if answer["valid"] else 1)
    written = file.read_text() if file.exists() else ""
    assert all(c.isprintable() or c == "\n" for c in out + err + written)
    if not shown:
        assert "[red]" in out  # no markup either
        assert len(out.splitlines()) < 600


def test_terminal_codes_of_a_refusal_do_not_reach_the_terminal(ask):
    with serving(Scripted(refused(422, CODES, CODES))) as url:
        code, _, err = ask(WORDS, "--url", url)
    assert (code, err.count("\n")) == (2, 1)
    assert err.rstrip("\n").isprintable()


def shown_text(answer: CircuitAnswer) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(answer_text(answer, VerificationConfig(), width=80))
    return console.file.getvalue()


def test_what_claims_to_be_a_circuit_is_not_drawn():
    answer = CircuitAnswer.model_validate(Endpoint(TEXTS).ask().json())
    assert "q_0: ┤" in shown_text(answer)
    for circuit in ("", "nonsense", "OPENQASM 3.0;\nqubit[9999999] q;\nh q;\n", "{" * 100_000):
        assert "q_0" not in shown_text(answer.model_copy(update={"circuit": circuit}))


def test_what_is_waited_for_is_told():
    progress = Progress()
    for text, characters in (("h q;", "4"), ("x" * 1000, "1,004")):
        grown = TurnGrown(turn=2, pieces=[GrownPiece(sample=0, text=text)])
        line, status = progress.told(grown)
        assert (line, str(status)) == (
            None,
            f"turn 2: the model writes, {characters} characters",
        )
    assert str(progress.told(TurnWritten(turn=2, candidates=[], seconds=0))[1]).endswith("verifies")
    assert str(progress.told(grown)[1]).endswith(" 1,000 characters")
    answer = CircuitAnswer.model_validate(Endpoint(TEXTS).ask().json())
    assert progress.told(answer) == (None, None)


def test_an_interrupt_is_one_line_and_exit_code_130():
    waiting = Answered(200, b": waiting\n\n", kind="text/event-stream", pause_s=0.05, endless=True)
    script = Scripted(waiting)
    with serving(script) as url:
        command = [sys.executable, "-m", "quasar", "ask", WORDS, "--url", url]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert wait_until(lambda: script.asked, 30)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=scaled(30))
    assert (process.returncode, err) == (130, "quasar: interrupted\n")


def test_tools_are_asked_for_by_name(ask, capsys):
    code, out, _ = ask(WORDS, "--samples", 2, "--seed", 5, "--tools", "verify,optimise", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["circuit"] == answer["report"]["optimised"]["program"]
    code, out, _ = ask(WORDS, "--samples", 2, "--seed", 5, "--tools", "verify,optimise")
    (line,) = [line for line in out.splitlines() if line.strip().startswith("optimised")]
    assert "approximation ratio " in line
    for names, said in (
        ("verify,polish", "unknown tool 'polish' (valid: verify, optimise)"),
        ("optimise", "verify must be among the tools"),
    ):
        with pytest.raises(SystemExit) as ended:
            ask(WORDS, "--tools", names)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
