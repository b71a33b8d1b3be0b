// The page: states a problem, asks the endpoint, shows what comes back.

import { Refusal, events, getJson, postJson, storeKey, storedKey } from "./client.js";
import { $, copyText, el, number, plural, words } from "./dom.js";
import { Panel } from "./panel.js";
import { qaoaProgram, uniformProgram } from "./programs.js";
import { Turns, hideResult, showCandidate, showResult } from "./results.js";

let panel; // the problem as it is stated
let facts = null; // of GET /v1/models, once they may be read
let running = null; // AbortController of what is under way
let described = null; // the statement whose qubits are listed
let shown = null; // the statement whose answer is on the page, or being made

const mode = () => document.querySelector("input[name=mode]:checked").value;
const say = (text) => ($("status").textContent = text);
const said = (text) => {
  $("status-part").hidden = false;
  say(text);
};

/** What the editor did, for a moment. */
function hear(text) {
  $("heard").textContent = text;
  clearTimeout(hear.timer);
  hear.timer = setTimeout(() => ($("heard").textContent = ""), 4000);
}

// ---- start --------------------------------------------------------------------------------------

async function start() {
  $("ask").addEventListener("submit", run);
  $("stop").addEventListener("click", () => running?.abort());
  $("share").addEventListener("click", share);
  $("key-button").addEventListener("click", () => askKey());
  $("start-uniform").addEventListener("click", () => fillIn(uniformProgram));
  $("start-qaoa").addEventListener("click", () => fillIn(qaoaProgram));
  $("modes").addEventListener("change", showMode);
  $("ask").addEventListener("keydown", submitByKey);
  try {
    const { problems } = await getJson("v1/problems");
    panel = new Panel(problems, hear, markStale);
    const first = problems.find(({ primitive }) => primitive === "vertex_cover") ?? problems[0];
    if (!takeLink()) panel.pick(first.primitive);
    addEventListener("hashchange", () => {
      if (takeLink()) showMode();
    });
    await readFacts();
  } catch (error) {
    showProblem(error);
  }
  showMode();
  document.body.dataset.ready = "true";
}

async function readFacts() {
  try {
    [facts] = (await getJson("v1/models")).data;
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 401) throw error;
    $("endpoint").textContent = "this endpoint asks for an API key";
    showMode();
    document.body.dataset.ready = "true";
    if (await askKey(storedKey() ? "The key is not known." : "This endpoint asks for one.")) await readFacts();
    return;
  }
  const writes = facts.id !== null;
  $("endpoint").textContent = writes ? `model ${facts.id}` : "verifies circuits; no model here";
  $("trained").textContent = writes ? trainedOn(facts.trained) : "";
  if (!writes) {
    document.querySelector("input[name=mode][value=verify]").checked = true;
    $("modes").hidden = true;
  }
  $("samples").max = facts.max_samples;
  $("samples").value ||= facts.samples;
  $("samples").placeholder = facts.samples;
  $("turns-asked").max = facts.max_turns;
  $("temperature").placeholder = number(facts.temperature, 2);
  $("constrained").checked = facts.constrained;
  options($("ansatz"), [["", "the model's usual"], ...facts.ansatze.map((name) => [name, name])]);
  options($("device"), facts.devices.map((name) => [name, name === "none" ? "no device" : name]));
  showMode();
}

/** In a sentence, what the model was trained on. */
function trainedOn({ primitives, min_qubits: least, max_qubits: most, ansatze, layers }) {
  const names = ansatze.map((name) => name.replaceAll("_", " ")).join(", ");
  const depth = layers.length > 1 ? `${layers[0]}–${layers.at(-1)} layers` : plural(layers[0], "layer");
  return `Trained on ${plural(primitives.length, "problem")} of ${least}–${most} qubits; ${names}; ${depth}.`;
}

function options(select, entries) {
  select.replaceChildren(...entries.map(([value, text]) => el("option", { value }, text)));
}

function showMode() {
  const own = mode() === "verify";
  $("circuit-part").hidden = !own;
  $("search-part").hidden = own;
  $("run").textContent = own ? "Verify the circuit" : "Write circuits";
}

/** Ctrl+Enter sends the form from within a text area, as it is written then. */
function submitByKey(event) {
  const asked = event.key === "Enter" && (event.ctrlKey || event.metaKey);
  if (asked && event.target.matches("textarea")) $("ask").requestSubmit();
}

/** Say so where the answer on the page is that of another problem than the form states now. */
function markStale() {
  $("stale").hidden = shown === null || shown === panel.statement;
  $("qubits").hidden = described !== panel.statement;
}

/** A first program for the problem, made from what the endpoint says of its qubits. */
async function fillIn(write) {
  try {
    const request = panel.request;
    const { statement } = panel;
    const answer = await postJson("v1/describe", { problem: request });
    if (panel.statement !== statement) return; // it is another problem by now
    $("own").value = write(answer);
    const { num_qubits: count, variables } = answer;
    const named = variables.map((name, q) => `q${q}: ${name}`).join(", ");
    $("qubits").textContent = `${plural(count, "qubit")} (${panel.problem.variable}): ${named}`;
    described = statement;
    markStale();
    $("problem-part").hidden = true;
  } catch (error) {
    showProblem(error);
  }
}

// ---- key ----------------------------------------------------------------------------------------

/** Ask for the key; whether one was given. */
function askKey(why = null) {
  const dialog = $("key-dialog");
  $("key-why").textContent = `${why ? `${why} ` : ""}Sent as a bearer token; kept in this tab alone until it is closed.`;
  $("key").value = storedKey();
  return new Promise((resolve) => {
    $("key-form").onsubmit = (event) => {
      event.preventDefault();
      dialog.close(event.submitter?.value ?? "save");
    };
    dialog.onclose = () => {
      const save = dialog.returnValue === "save";
      if (save) storeKey($("key").value.trim());
      resolve(save && Boolean(storedKey()));
    };
    dialog.returnValue = "";
    dialog.showModal();
  });
}

// ---- asking -------------------------------------------------------------------------------------

async function run(event) {
  event.preventDefault();
  if (running) return;
  running = new AbortController();
  shown = null;
  busy(true);
  $("welcome").hidden = true;
  $("problem-part").hidden = true;
  $("search").hidden = true;
  hideResult();
  markStale();
  try {
    await (mode() === "verify" ? verifyOwn(running.signal) : search(running.signal));
  } catch (error) {
    if (error.name === "AbortError") say("Stopped.");
    else showProblem(error);
    if (error.status === 401) {
      running = null;
      busy(false);
      const known = await askKey(storedKey() ? "The key is not known." : "This endpoint asks for one.");
      if (known) {
        if (!facts) await readFacts().catch(showProblem);
        $("ask").requestSubmit();
      }
      return;
    }
  } finally {
    if (running) {
      running = null;
      busy(false);
    }
  }
}

function busy(is) {
  const [from, to] = is ? [$("run"), $("stop")] : [$("stop"), $("run")];
  const hadFocus = document.activeElement === from;
  $("run").disabled = is;
  $("stop").hidden = !is;
  if (hadFocus) to.focus({ preventScroll: true });
  $("progress").hidden = !is;
  $("output").setAttribute("aria-busy", String(is));
  if (is) {
    $("progress").removeAttribute("value");
    said(mode() === "verify" ? "Verifying …" : "Asking …");
    if (innerWidth < 900) $("status-part").scrollIntoView({ block: "start" });
  }
}

/** The number in a field, null where it is empty. Raises Refusal for what cannot be sent as written. */
function numberIn(id) {
  const { value, valueAsNumber, validity } = $(id);
  if (value === "" && !validity.badInput) return null;
  const held = Number.isFinite(valueAsNumber) && (!Number.isInteger(valueAsNumber) || Number.isSafeInteger(valueAsNumber));
  if (held) return valueAsNumber;
  const label = document.querySelector(`label[for=${id}]`).textContent;
  $(id).focus();
  throw new Refusal(null, { message: `“${label}” cannot be read`, hint: `write a number up to ${Number.MAX_SAFE_INTEGER}, or leave it empty` });
}

function searchBody() {
  const body = { problem: panel.request };
  // an empty field is left to the endpoint
  for (const [name, id] of [["samples", "samples"], ["turns", "turns-asked"], ["temperature", "temperature"]]) {
    const given = numberIn(id);
    if (given !== null) body[name] = given;
  }
  // drawn here, because JavaScript does not hold the endpoint's 63 bits
  body.seed = numberIn("seed") ?? Math.floor(Math.random() * 2 ** 31);
  if ($("ansatz").value) body.ansatz = $("ansatz").value;
  if ($("device").value && $("device").value !== "none") body.device = $("device").value;
  if (facts && $("constrained").checked !== facts.constrained) body.constrained = $("constrained").checked;
  return body;
}

async function search(signal) {
  const body = searchBody();
  const asked = { ...panel.asked(), stated: body.problem };
  shown = panel.statement;
  const turns = new Turns((candidate) => inspect(candidate, asked));
  $("search").hidden = false;
  try {
    for await (const [name, data] of events("v1/circuits", { ...body, stream: true, draw: true }, signal)) {
      onEvent(name, data, { turns, body, asked });
    }
  } finally {
    turns.end("stopped");
  }
}

function onEvent(name, data, { turns, body, asked }) {
  const step = (turn, part) => {
    $("progress").max = 2 * asked.turns;
    $("progress").value = 2 * (turn - 1) + part;
  };
  if (name === "start") {
    turns.samples = data.samples;
    turns.begin(1);
    asked.turns = data.turns;
    say(`${plural(data.problem.num_qubits, "qubit")}; turn 1 of ${data.turns}: the model writes ${plural(data.samples, "candidate")} …`);
  } else if (name === "grown") {
    turns.grown(data);
  } else if (name === "written") {
    turns.written(data);
    step(data.turn, 1);
    say(`Turn ${data.turn} of ${asked.turns}: ${plural(data.candidates.length, "candidate")} written, being verified …`);
  } else if (name === "verified") {
    turns.verified(data);
    step(data.turn, 2);
    if (data.turn < asked.turns) {
      turns.begin(data.turn + 1);
      say(`Turn ${data.turn + 1} of ${asked.turns}: the model reads what the tool found and writes again …`);
    }
  } else if (name === "answer") {
    turns.end("not needed: nothing left to make better");
    showAnswer(data, { ...asked, path: "v1/circuits", body: { ...body, seed: data.seed } });
  } else if (name === "error") {
    throw new Refusal(data.status, data.error);
  }
}

function showAnswer(answer, asked) {
  const seconds = answer.seconds.generation + answer.seconds.verification;
  say(`${sentence(answer.message)} (${number(seconds, 1)} s, seed ${answer.seed}).`);
  if (!answer.valid) {
    const why = answer.findings.map(({ kind, message, count }) => `${count} × ${words(kind)}: ${message}`);
    showProblem(new Refusal(200, { message: "No candidate is a valid circuit", hint: why.join("\n") }));
    return;
  }
  showResult({
    title: `Best circuit: turn ${answer.turn}, candidate ${answer.sample + 1}`,
    circuit: answer.circuit,
    report: answer.report,
    reward: answer.reward,
    compiled: answer.compiled,
  }, { ...asked, bitstring: answer.best_bitstring });
}

/** A message as a sentence; a problem's name at its beginning as people write it. */
function sentence(text) {
  const plain = text.replace(/^[a-z]+(?:_[a-z]+)+(?=:)/, words);
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

async function verifyOwn(signal) {
  const circuit = $("own").value;
  if (!circuit.trim()) {
    $("own").focus();
    throw new Refusal(null, { message: "There is no circuit yet", hint: "write or paste an OpenQASM 3 program" });
  }
  const asked = { ...panel.asked(), stated: panel.request };
  shown = panel.statement;
  await verify(circuit, asked, { title: "Your circuit", signal });
}

/** Verify a program for a problem that was asked about, and show it. */
async function verify(circuit, asked, { title, signal = null }) {
  const body = { problem: asked.stated, circuit };
  const { report, reward, observation } = await postJson("v1/verify", { ...body, draw: true }, signal);
  if (!report.valid) {
    say("The circuit is not valid.");
    return showInvalid(report.error, circuit);
  }
  say(`Valid: reward ${number(reward.value)}.`);
  showResult({ title, circuit, report, reward: reward.value, observation }, { ...asked, path: "v1/verify", body });
}

function inspect(candidate, asked) {
  showCandidate(candidate, async () => {
    try {
      $("problem-part").hidden = true;
      const title = `Turn ${candidate.turn}, candidate ${candidate.sample + 1}`;
      await verify(candidate.circuit, asked, { title });
      $("result-title").focus();
    } catch (error) {
      showProblem(error);
    }
  });
  $("candidate-title").focus();
}

// ---- what went wrong ----------------------------------------------------------------------------

function showProblem(error) {
  const known = error instanceof Refusal;
  if (!known) console.error(error);
  $("problem-part").hidden = false;
  $("problem-line").hidden = true;
  $("problem-title").textContent = sentence(known ? error.message : `this page failed: ${error.message}`);
  $("problem-hint").textContent = known ? sentence(error.hint) : "Reload the page, and report this if it stays.";
  if (!$("status-part").hidden) say(error.status === null ? "Not sent." : known && error.status !== 200 ? "Refused." : $("status").textContent);
}

function showInvalid({ kind, message, line, column }, circuit) {
  showProblem(new Refusal(200, { message: `Not valid (${words(kind)})`, hint: message }));
  if (!line) return;
  const text = circuit.split("\n")[line - 1] ?? "";
  $("problem-line").hidden = false;
  $("problem-line").textContent = `${line} | ${text}` + (column ? `\n${" ".repeat(String(line).length + 2 + column)}^` : "");
}

// ---- links --------------------------------------------------------------------------------------

async function share() {
  try {
    const { primitive, attributes } = panel.request;
    const state = { primitive, graph: panel.text, attributes };
    if (mode() === "verify") state.circuit = $("own").value;
    const link = new URL(location.href);
    link.hash = new URLSearchParams({ problem: JSON.stringify(state) }).toString();
    await copyText(link.href);
    said("Link copied: it holds the problem, not the answer.");
  } catch (error) {
    if (error instanceof Refusal) showProblem(error);
    else said(sentence(error.message));
  }
}

/** The problem in the address; whether there is one that can be read. */
function takeLink() {
  const given = new URLSearchParams(location.hash.slice(1)).get("problem");
  if (!given) return false;
  try {
    const { primitive, graph, attributes = null, circuit = "", ...others } = JSON.parse(given);
    const [other] = Object.keys(others);
    if (other !== undefined) throw new Error(`“${other}” is not used here`);
    if (typeof graph !== "string" || typeof circuit !== "string") throw new Error("graph and circuit are texts");
    panel.pick(primitive, { text: graph, attributes });
    $("problem-part").hidden = true;
    if (circuit) {
      $("own").value = circuit;
      document.querySelector("input[name=mode][value=verify]").checked = true;
    }
    return true;
  } catch (error) {
    showProblem(new Refusal(null, { message: "The link holds no problem that can be read", hint: error.message }));
    return false;
  }
}

start();
