// What came out: figures, circuit, outcomes beside the optimum, the answer on the graph. What is
// special to the other tasks is in `task_results.js`.

import { drawAnswer, verdict } from "./answer.js";
import { drawCircuit } from "./circuit.js";
import { $, copyText, el, number, percent, plural } from "./dom.js";
import { snippets } from "./snippets.js";
import { showTask, taskFigures } from "./task_results.js";

/**
 * Show a verified circuit.
 * result: {title, circuit, report, reward, compiled?, observation?}; asked: as in `drawAnswer`, with
 * {body, path} of the request.
 */
export function showResult(result, asked) {
  const { report } = result;
  const ofTask = Boolean(report.task);
  $("result").hidden = false;
  $("result-title").textContent = result.title;
  const shown = ofTask ? [...taskFigures(result, asked), ...onDevice(result)] : figures(result);
  $("figures").replaceChildren(...shown.map(([name, value, note]) =>
    el("div", { class: "figure" }, el("dt", {}, name), el("dd", {}, value), note && el("dd", { class: "note" }, note)),
  ));
  const warnings = result.warnings ?? [];
  $("warnings").hidden = !warnings.length;
  $("warnings").textContent = warnings.map((text) => `Note: ${text}.`).join(" ");
  $("graph-result").hidden = ofTask;
  $("task-result").hidden = !ofTask;
  $("headline").hidden = !ofTask;
  const { drawing } = report;
  drawCircuit($("circuit"), report.num_qubits, drawing);
  $("circuit").setAttribute("aria-label",
    `Circuit on ${plural(report.num_qubits, "qubit")}: ${plural(report.num_gates, "gate")}, depth ` +
    `${report.depth}. The program below says the same.`);
  $("circuit-note").textContent = drawing.omitted_gates
    ? `The first ${drawing.gates.length} of ${report.num_gates} gates; the program below has them all.`
    : "Angles in radians.";
  if (ofTask) showTask(report);
  else showOutcomes(report, asked);
  $("observation").textContent = result.observation ?? "";
  $("fixing").hidden = !result.observation;
  showCode(result, asked);
}

export function hideResult() {
  $("result").hidden = true;
}

function figures({ report, reward, compiled }) {
  const { expectation, distribution, optimisation } = report;
  const found = [
    ["Reward", number(reward), "0: no better than H on every qubit"],
    ["Probability of an optimum", percent(distribution.optimum_probability),
      `uniform ${percent(distribution.uniform_optimum_probability)}`],
    ["Approximation ratio", number(expectation.approximation_ratio),
      `uniform ${number(expectation.uniform_approximation_ratio)}`],
    ["Energy ⟨H⟩", number(expectation.energy), `${number(expectation.minimum, 2)} … ${number(expectation.maximum, 2)}`],
    ["Gates", number(report.num_gates), `${report.num_two_qubit_gates} on two or more qubits`],
    ["Depth", number(report.depth), plural(report.num_qubits, "qubit")],
  ];
  if (distribution.feasible_probability !== null) {
    found.splice(2, 0, ["Feasible", percent(distribution.feasible_probability),
      distribution.uniform_feasible_probability === null ? "" : `uniform ${percent(distribution.uniform_feasible_probability)}`]);
  }
  if (optimisation) found.push(["Warm-start gain", number(optimisation.gain), "as start of an optimiser"]);
  return [...found, ...onDevice({ compiled })];
}

function onDevice({ compiled }) {
  if (!compiled) return [];
  const cost = compiled.message ?? `depth ${compiled.depth}` +
    (compiled.duration_us === null ? "" : `, ${number(compiled.duration_us, 1)} µs`);
  return [[`On ${compiled.device}`, compiled.message ? "–" : plural(compiled.two_qubit_gates, "2-qubit gate"), cost]];
}

// ---- outcomes -----------------------------------------------------------------------------------

function showOutcomes(report, asked) {
  const { outcomes, optimum, other_probability: others, variables } = report.drawing;
  const listed = outcomes.some((outcome) => outcome.bitstring === optimum.bitstring);
  const shown = listed ? outcomes : [...outcomes, optimum];
  const rest = listed ? others : others - optimum.probability;
  const largest = Math.max(...shown.map((outcome) => outcome.probability), 1e-9);
  const uniform = 2 ** -report.num_qubits;
  const rows = shown.map((outcome) => outcomeRow(outcome, largest, uniform, () => choose(outcome)));
  if (rest > 1e-6) {
    rows.push(el("tr", { class: "others" },
      el("th", { scope: "row" }, "all others"), el("td", {}, el("div", { class: "measured" }, el("span", { class: "share" }, percent(rest)))), el("td", {})));
  }
  $("outcomes").replaceChildren(...rows);
  const shots = report.distribution.shots;
  $("outcomes-note").textContent =
    `Line: uniform sampling, ${percent(uniform)} each. ` +
    (shots ? `From ${shots} samples. ` : "Exact probabilities. ") +
    "Character i of a bitstring is binary variable i. Choose a row to see its answer.";
  $("variables").textContent = variables.map((name, q) => `${q}: ${name}`).join("   ");
  $("variables-part").hidden = variables.length === 0;
  $("variables-head").textContent = `Binary variables (${asked.problem.variable})`;

  function choose(outcome) {
    $("answer-words").textContent = drawAnswer($("answer-graph"), asked, outcome);
    $("answer-state").replaceChildren(
      el("code", {}, outcome.bitstring), ` ${percent(outcome.probability)} `, verdict(outcome));
    shown.forEach((other, i) => {
      rows[i].classList.toggle("current", other === outcome);
      rows[i].querySelector("button").setAttribute("aria-pressed", String(other === outcome));
    });
  }
  choose(shown.find((outcome) => outcome.bitstring === asked.bitstring) ?? shown[0]);
}

function outcomeRow(outcome, largest, uniform, choose) {
  const kind = outcome.feasible === false ? "infeasible" : outcome.optimal ? "optimal" : "plain";
  return el("tr", { class: kind, onclick: choose },
    el("th", { scope: "row" }, el("button", { type: "button", class: "bits", "aria-pressed": "false" }, outcome.bitstring)),
    el("td", {}, el("div", { class: "measured" },
      bar(outcome.probability / largest, uniform / largest),
      el("span", { class: "share" }, percent(outcome.probability)))),
    el("td", {}, verdict(outcome)));
}

/** A bar of that share of the longest one, with a line where uniform sampling would end. */
function bar(share, uniform) {
  const made = el("span", { class: "bar" });
  made.style.width = `${100 * share}%`;
  const track = el("span", { class: "track", "aria-hidden": "true" }, made);
  if (uniform < 1) {
    const tick = el("span", { class: "uniform" });
    tick.style.left = `${100 * uniform}%`;
    track.append(tick);
  }
  return track;
}

// ---- program ------------------------------------------------------------------------------------

function showCode(result, asked) {
  $("program").textContent = result.circuit;
  const buttons = Object.entries(snippets(result.circuit, asked)).map(([name, text]) =>
    el("button", { type: "button", class: "quiet", onclick: (event) => copy(event.currentTarget, text, name) }, `Copy ${name}`));
  $("copies").replaceChildren(...buttons);
}

async function copy(button, text, name) {
  try {
    await copyText(text);
    $("copied").textContent = `${name} copied`;
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1500);
  } catch (error) {
    $("copied").textContent = error.message;
  }
}
