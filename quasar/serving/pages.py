"""The endpoint's two HTML pages: how to ask, and what went wrong. All inserted text is escaped."""

import html
import json
from string import Template
from typing import Any

from quasar.serving.schema import EXAMPLE
from quasar.tool.schema import GRAPH_EXAMPLE

_FRAME = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
       color: #1b1f24; background: #fff }
pre, textarea { font: 14px/1.4 ui-monospace, monospace; background: #f4f5f7; padding: .8rem;
       border: 1px solid #d0d4da; border-radius: 4px; overflow: auto; white-space: pre-wrap }
textarea { width: 100%; height: 11rem; box-sizing: border-box }
button { font: inherit; padding: .3rem 1rem }
</style></head><body>
$body
</body></html>
""")

_INDEX = Template("""<h1>Quasar: verified circuits for graph problems</h1>
<p>$lead Primitives: <b>$primitives</b>; at most $limits a request.</p>
<h2>Ask from a shell</h2>
<pre>curl -s ${url}$path -H 'Content-Type: application/json' -d '$example'</pre>
<h2>Ask from here</h2>
<form id="ask"><label for="body">Request (JSON)</label>
<textarea id="body" spellcheck="false">$pretty</textarea>
<p><button>Send</button> <span id="state" role="status"></span></p></form>
<pre id="circuit" hidden></pre>
<pre id="answer" hidden></pre>
<p>All fields: <a href="docs">docs</a>. Limits as JSON: <a href="v1/models">v1/models</a>.</p>
<script>
document.getElementById("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const state = document.getElementById("state"), answer = document.getElementById("answer");
  const circuit = document.getElementById("circuit");
  state.textContent = "working …"; answer.hidden = circuit.hidden = true;
  try {
    const response = await fetch("$path", {method: "POST", body: event.target.body.value,
      headers: {"Content-Type": "application/json", "Accept": "application/json"}});
    const data = await response.json();
    state.textContent = data.error ? data.error.message + "; " + data.error.mend
      : data.message || "verified";
    const text = data.circuit || data.observation;
    if (text) { circuit.textContent = text; circuit.hidden = false; }
    answer.textContent = JSON.stringify(data, null, 1); answer.hidden = false;
  } catch (error) { state.textContent = "no answer: " + error.message; }
});
</script>""")

_WRITES = """Send a graph problem; the model writes candidate OpenQASM 3 circuits, each is simulated
and verified, and the best one comes back with its report. (A circuit of your own is verified by
<code>v1/verify</code>.)"""
_VERIFIES = """Send a graph problem and an OpenQASM 3 circuit; the circuit is simulated and
verified, and its report comes back. This endpoint has no model, it writes no circuits."""

_ERROR = Template("""<h1>$status: $message</h1>
$field<p><b>Mend:</b> $mend</p>
<p><a href="$home">How to ask</a></p>""")


def index_page(url: str, facts: dict[str, Any]) -> str:
    """How to ask. `url` is the endpoint's own address with a slash at its end."""
    writes = facts["id"] is not None
    example = EXAMPLE if writes else GRAPH_EXAMPLE
    limits = f"{facts['max_qubits']} qubits"
    body = _INDEX.substitute(
        url=html.escape(url),
        lead=_WRITES if writes else _VERIFIES,
        path="v1/circuits" if writes else "v1/verify",
        primitives=html.escape(", ".join(facts["primitives"])),
        limits=f"{limits} and {facts['max_samples']} candidates" if writes else limits,
        example=html.escape(json.dumps(example), quote=False),
        pretty=html.escape(_pretty(EXAMPLE) if writes else json.dumps(example, indent=2)),
    )
    return _FRAME.substitute(title="Quasar", body=body)


def error_page(status: int, error: dict[str, Any], *, home: str) -> str:
    """One refusal, readable: message, field, mend."""
    field = html.escape(error["field"] or "")
    body = _ERROR.substitute(
        status=status,
        message=html.escape(error["message"]),
        field=f"<p><b>Field:</b> <code>{field}</code></p>\n" if field else "",
        mend=html.escape(error["mend"]),
        home=html.escape(home),
    )
    return _FRAME.substitute(title=f"Quasar: error {status}", body=body)


def _pretty(example: dict[str, Any]) -> str:
    """Indented, but with each list of the graph on one line."""
    graph = example["problem"]["graph"]
    inner = ",\n      ".join(f"{json.dumps(key)}: {json.dumps(graph[key])}" for key in graph)
    primitive, samples = json.dumps(example["problem"]["primitive"]), example["samples"]
    return (
        f'{{\n  "problem": {{\n    "primitive": {primitive},\n    "graph": {{\n      {inner}\n'
        f'    }}\n  }},\n  "samples": {samples}\n}}'
    )
