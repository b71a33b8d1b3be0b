// The program and the request as code to take away.

import { BASE } from "./client.js";

/** A JSON value as a Python expression. */
function python(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${python(one)}`).join(", ")}}`;
  }
  return JSON.stringify(value); // of numbers and texts, Python too
}

const pythonText = (text) =>
  /\\|"""|"$/.test(text) ? JSON.stringify(text) : `"""${text}"""`;

const inShell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function qiskit(circuit) {
  return `# pip install qiskit qiskit-qasm3-import
from qiskit import qasm3

circuit = qasm3.loads(
    ${pythonText(circuit)}
)
print(circuit)
`;
}

function client({ problem, row, ...rest }) {
  const { stream, draw, ...options } = rest;
  const said = Object.entries(options).map(([name, value]) => `    ${name}=${python(value)},\n`);
  return `import os

import quasar

client = quasar.Client(${JSON.stringify(BASE.href)}, api_key=os.environ.get("QUASAR_API_KEY"))
answer = client.circuit(
    ${python(problem ?? row)},
${said.join("")})
print(answer.circuit)
`;
}

function verifying({ problem, row, circuit }) {
  return `import json
import os
import urllib.request

key = os.environ.get("QUASAR_API_KEY", "none")
request = urllib.request.Request(
    ${JSON.stringify(new URL("v1/verify", BASE).href)},
    json.dumps({
        "${problem ? "problem" : "row"}": ${python(problem ?? row)},
        "circuit": ${pythonText(circuit)},
    }).encode(),
    {"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
)
print(json.load(urllib.request.urlopen(request))["observation"])
`;
}

/** What can be copied: name → text. asked: {path, body} of the request. */
export function snippets(circuit, { path, body }) {
  const { stream, draw, ...plain } = body;
  return {
    QASM: circuit,
    "Python (Qiskit)": qiskit(circuit),
    "Python (ask again)": path === "v1/circuits" ? client(body) : verifying(body),
    curl: `curl -s ${inShell(new URL(path, BASE).href)} \\
  -H 'Content-Type: application/json' -H "Authorization: Bearer \${QUASAR_API_KEY:-none}" \\
  -d ${inShell(JSON.stringify(plain))}
`,
  };
}
