// The page: states a problem, asks the endpoint, shows what comes back.

import { Refusal, events, getJson, postJson, storedKey } from "./client.js";
import { $, copyText, el, number, plural, words } from "./dom.js";
import { askKey } from "./key.js";
import { Models } from "./models.js";
import { qaoaProgram, uniformProgram } from "./programs.js";
import { hideResult, showResult } from "./results.js";
import { Statement } from "./statement.js";
import { said, say, sentence, showInvalid, showProblem } from "./told.js";
import { Turns, showCandidate } from "./turns.js";

let stated; // what is asked, as it is stated
let models = null; // of GET /v1/models, once they may be read
let facts = null; // of the model that answers what is asked, else of the endpoint
let preferred = null; // name of the model that was chosen
let running = null; // AbortController of what is under way
let described = null; // the statement whose qubits are listed
let shown = null; // the statement whose answer is on the page, or being made

const mode = () => document.querySelector("input[name=mode]:checked").value;

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
  $("start-plain").addEventListener("click", () => fillIn(uniformProgram));
  $("start-baseline").addEventListener("click", () => fillIn(({ baseline_circuit: program }) => program));
  $("verify-instead").addEventListener("click", verifyInstead);
  $("modes").addEventListener("change", showMode);
  $("model").addEventListener("change", () => {
    preferred = $("model").value;
    showModel();
  });
  $("ask").addEventListener("keydown", submitByKey);
  try {
    const [{ problems }, { tasks }] = await Promise.all([getJson("v1/problems"), getJson("v1/tasks")]);
    stated = new Statement(problems, tasks, hear, markStale);
    if (!takeLink()) stated.pick(stated.task);
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
    models = new Models((await getJson("v1/models")).data);
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 401) throw error;
    $("endpoint").textContent = "this endpoint asks for an API key";
    showMode();
    document.body.dataset.ready = "true";
    if (await askKey(storedKey() ? "The key is not known." : "This endpoint asks for one.")) await readFacts();
    return;
  }
  $("endpoint").textContent = models.title;
  if (!models.all.length) {
    document.querySelector("input[name=mode][value=verify]").checked = true;
    $("modes").hidden = true;
  }
  const { ansatze, devices } = models.limits;
  options($("ansatz"), [["", "the model's usual"], ...ansatze.map((name) => [name, name])]);
  options($("device"), devices.map((name) => [name, name === "none" ? "no device" : name]));
  showMode();
}

/** Show which model answers what is asked, a choice where several may, and take over its limits. */
function showModel() {
  if (!models) return;
  const able = models.knowing(stated.task);
  const names = able.map(({ id }) => id);
  if (names.join() !== Array.from($("model").options, ({ value }) => value).join()) {
    options($("model"), names.map((name) => [name, name]));
  }
  const answering = able.find(({ id }) => id === preferred) ?? able[0];
  $("model").value = answering?.id ?? "";
  $("model-part").hidden = able.length < 2;
  $("trained").textContent = models.told(answering, stated);
  takeLimits(answering ?? models.all[0] ?? models.limits);
}

/** Of the model that answers; what was changed in the form stays. */
function takeLimits(next) {
  const before = facts;
  if (next === before) return;
  facts = next;
  const { value } = $("samples");
  if (value === "" || value === String(before?.samples)) $("samples").value = facts.samples;
  $("samples").max = facts.max_samples;
  $("samples").placeholder = facts.samples;
  $("turns-asked").max = facts.max_turns;
  $("temperature").placeholder = number(facts.temperature, 2);
  if (before === null || $("constrained").checked === before.constrained) $("constrained").checked = facts.constrained;
}

/** Whether a model that is served was trained on the task that is asked. */
const knowsTask = () => !models || models.know(stated.task);

function options(select, entries) {
  select.replaceChildren(...entries.map(([value, text]) => el("option", { value }, text)));
}

function showMode() {
  const own = mode() === "verify";
  $("circuit-part").hidden = !own;
  $("search-part").hidden = own;
  stated?.mark((task) => own || !models || models.know(task));
  showModel();
  $("run").textContent = own ? "Verify the circuit" : "Write circuits";
}

/** Ctrl+Enter sends the form from within a text area, as it is written then. */
function submitByKey(event) {
  const asked = event.key === "Enter" && (event.ctrlKey || event.metaKey);
  if (asked && event.target.matches("textarea")) $("ask").requestSubmit();
}

/** Verify a circuit of one's own in place of asking the model. */
function verifyInstead() {
  document.querySelector("input[name=mode][value=verify]").checked = true;
  showMode();
  $("problem-part").hidden = true;
  $("own").focus();
}

/** Say so where the answer on the page is that of another problem than the form states now. */
function markStale() {
  $("stale").hidden = shown === null || shown === stated.text;
  $("qubits").hidden = described !== stated.text;
  showModel();
}

/** A first program for the problem, made from what the endpoint says of its qubits. */
async function fillIn(write) {
  try {
    const { request, text, isGraph } = stated;
    const answer = await postJson(isGraph ? "v1/describe" : "v1/tasks/describe", request);
    if (stated.text !== text) return; // it is another problem by now
    const count = isGraph ? answer.num_qubits : answer.row.n_qubits;
    $("own").value = write({ ...answer, num_qubits: count });
    $("qubits").textContent = `${plural(count, "qubit")} ${isGraph ? namedQubits(answer) : whatScoresNothing(answer)}`;
    described = text;
    markStale();
    $("problem-part").hidden = true;
  } catch (error) {
    showProblem(error);
  }
}

function namedQubits({ variables }) {
  const named = variables.map((name, q) => `q${q}: ${name}`).join(", ");
  return `(${stated.graphs.problem.variable}): ${named}`;
}

const whatScoresNothing = ({ baseline }) => `(the best answer without skill, which scores 0: ${baseline})`;

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
    $("verify-instead").hidden = error.status !== 422 || knowsTask();
    if (error.status === 401) {
      running = null;
      busy(false);
      const known = await askKey(storedKey() ? "The key is not known." : "This endpoint asks for one.");
      if (known) {
        if (!models) await readFacts().catch(showProblem);
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
  const body = { ...stated.request };
  // left out, it is the first that knows the task
  if ($("model").selectedIndex > 0) body.model = $("model").value;
  // an empty field is left to the endpoint
  for (const [name, id] of [["samples", "samples"], ["turns", "turns-asked"], ["temperature", "temperature"]]) {
    const given = numberIn(id);
    if (given !== null) body[name] = given;
  }
  // drawn here, because JavaScript does not hold the endpoint's 63 bits
  body.seed = numberIn("seed") ?? Math.floor(Math.random() * 2 ** 31);
  if (stated.isGraph && $("ansatz").value) body.ansatz = $("ansatz").value;
  if ($("device").value && $("device").value !== "none") body.device = $("device").value;
  // without it the tools are those of the endpoint
  if (stated.isTunable && $("optimise").checked) body.tools = ["verify", "optimise"];
  if (facts && $("constrained").checked !== facts.constrained) body.constrained = $("constrained").checked;
  return body;
}

async function search(signal) {
  const body = searchBody();
  const asked = stated.asked();
  shown = stated.text;
  const turns = new Turns((candidate) => inspect(candidate, asked));
  $("search").hidden = false;
  try {
    for await (const [name, data] of events("v1/circuits", { ...body, stream: true, draw: true }, signal)) {
      onEvent(name, data, { turns, body, asked });
    }
  } finally {
    turns.end("stopped");
    $("search").hidden = !$("turns").firstChild; // refused before there was a turn
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
    const who = models?.several ? data.model : "the model";
    say(`${plural(data.problem.num_qubits, "qubit")}; turn 1 of ${data.turns}: ${who} writes ${plural(data.samples, "candidate")} …`);
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
  const who = models?.several ? `${answer.model}, ` : "";
  say(`${sentence(answer.message)} (${who}${number(seconds, 1)} s, seed ${answer.seed}).`);
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
    warnings: answer.warnings,
  }, { ...asked, bitstring: answer.best_bitstring });
}

async function verifyOwn(signal) {
  const circuit = $("own").value;
  if (!circuit.trim()) {
    $("own").focus();
    throw new Refusal(null, { message: "There is no circuit yet", hint: "write or paste an OpenQASM 3 program" });
  }
  const asked = stated.asked();
  shown = stated.text;
  await verify(circuit, asked, { title: "Your circuit", signal });
}

/** Verify a program for a problem that was asked about, and show it. */
async function verify(circuit, asked, { title, signal = null }) {
  const body = { ...asked.stated, circuit };
  const { report, reward, observation } = await postJson("v1/verify", { ...body, draw: true }, signal);
  if (!report.valid) {
    say("The circuit is not valid.");
    return showInvalid(report.error, circuit);
  }
  const done = report.task ? `, ${report.task.success ? "done" : "not done yet"}` : "";
  say(`Valid${done}: reward ${number(reward.value)}.`);
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

// ---- links --------------------------------------------------------------------------------------

async function share() {
  try {
    const state = { ...stated.state };
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
    const { circuit = "", ...state } = JSON.parse(given);
    if (typeof circuit !== "string") throw new Error("circuit is a text");
    stated.restore(state);
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
