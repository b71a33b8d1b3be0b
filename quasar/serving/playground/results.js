// What came out: figures, circuit, outcomes beside the optimum, the answer on the graph.

import { drawAnswer, verdict } from "./answer.js";
import { drawCircuit } from "./circuit.js";
import { $, copyText, el, number, percent, plural, words } from "./dom.js";
import { snippets } from "./snippets.js";

/**
 * Show a verified circuit.
 * result: {title, circuit, report, reward, compiled?, observation?}; asked: as in `drawAnswer`, with
 * {body, path} of the request.
 */
export function showResult(result, asked) {
  const { report } = result;
  $("result").hidden = false;
  $("result-title").textContent = result.title;
  $("figures").replaceChildren(...figures(result).map(([name, value, note]) =>
    el("div", { class: "figure" }, el("dt", {}, name), el("dd", {}, value), note && el("dd", { class: "note" }, note)),
  ));
  const { drawing } = report;
  drawCircuit($("circuit"), report.num_qubits, drawing);
  $("circuit").setAttribute("aria-label",
    `Circuit on ${plural(report.num_qubits, "qubit")}: ${plural(report.num_gates, "gate")}, depth ` +
    `${report.depth}. The program below says the same.`);
  $("circuit-note").textContent = drawing.omitted_gates
    ? `The first ${drawing.gates.length} of ${report.num_gates} gates; the program below has them all.`
    : "Angles in radians.";
  showOutcomes(report, asked);
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
  if (compiled) {
    const cost = compiled.message ?? `depth ${compiled.depth}` +
      (compiled.duration_us === null ? "" : `, ${number(compiled.duration_us, 1)} µs`);
    found.push([`On ${compiled.device}`, compiled.message ? "–" : plural(compiled.two_qubit_gates, "2-qubit gate"), cost]);
  }
  return found;
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

// ---- turns --------------------------------------------------------------------------------------

const LINES_SHOWN = 6; // of a program that is being written

/** The turns of a search as they come. `inspect(candidate)` is called for a chosen candidate. */
export class Turns {
  constructor(inspect) {
    this.samples = 0; // of a turn, as the endpoint says
    this.inspect = inspect;
    this.best = null;
    $("turns").replaceChildren();
    $("turns").hidden = false;
    $("candidate").hidden = true;
  }

  begin(turn) {
    this.title = el("span", {});
    this.list = el("ul", { class: "candidates" });
    this.texts = new Map(); // by sample, as far as they are written
    this.page = el("pre", { class: "growing", "aria-hidden": "true", hidden: "" });
    const heading = el("h3", {}, `Turn ${turn}`, " ", this.title);
    $("turns").append(el("section", { class: "turn" }, heading, this.list, this.page));
    this.title.textContent = "the model writes …";
    this.#fill(Array.from({ length: this.samples }, (_, sample) => waiting(sample, "writing")));
  }

  /** The model has written on: how far each candidate is, and the end of the first one. */
  grown({ pieces }) {
    for (const { sample, text } of pieces) {
      const whole = (this.texts.get(sample) ?? "") + text;
      this.texts.set(sample, whole);
      const why = this.list.children[sample]?.querySelector(".why");
      if (why) why.textContent = plural(whole.split("\n").length, "line");
    }
    const first = this.texts.get(Math.min(...this.texts.keys()));
    this.page.textContent = first.split("\n").slice(-LINES_SHOWN).join("\n");
    this.page.hidden = false;
  }

  written({ candidates, seconds }) {
    this.page.hidden = true;
    this.title.textContent = `written in ${number(seconds, 1)} s, being verified …`;
    this.#fill(candidates.map(({ sample }) => waiting(sample, "verifying")));
  }

  verified({ candidates, best }) {
    const valid = candidates.filter((candidate) => candidate.valid).length;
    this.title.textContent = `${valid} of ${candidates.length} valid` +
      (best ? `, best so far ${number(best.reward)}` : "");
    this.best = best;
    this.#fill(candidates.map((candidate) => this.#card(candidate)));
    this.#star();
  }

  /** No further candidates come. */
  end(reason) {
    const open = $("turns").querySelectorAll(".waiting");
    if (open.length) this.title.textContent = reason;
    open.forEach((card) => card.closest("li").remove());
  }

  #fill(cards) {
    this.list.replaceChildren(...cards.map((card) => el("li", {}, card)));
  }

  #card(candidate) {
    const { sample, turn, valid, reward, error } = candidate;
    const card = el("button", {
      type: "button", class: `card ${valid ? "valid" : "invalid"}`, "data-place": `${turn}.${sample}`,
      onclick: () => {
        $("turns").querySelectorAll(".card.current").forEach((other) => other.classList.remove("current"));
        card.classList.add("current");
        this.inspect(candidate);
      },
    }, el("span", { class: "sample" }, `#${sample + 1}`), el("strong", {}, valid ? number(reward) : "✗"),
      el("span", { class: "why" }, valid ? "valid" : words(error?.kind ?? "not valid")));
    return card;
  }

  #star() {
    for (const card of $("turns").querySelectorAll(".card")) {
      const is = this.best && card.dataset.place === `${this.best.turn}.${this.best.sample}`;
      card.classList.toggle("best", Boolean(is));
      const why = card.querySelector(".why");
      if (card.classList.contains("valid")) why.textContent = is ? "★ best" : "valid";
    }
  }
}

const waiting = (sample, what) =>
  el("span", { class: "card waiting" }, el("span", { class: "sample" }, `#${sample + 1}`),
    el("strong", { "aria-hidden": "true" }, "·"), el("span", { class: "why" }, what));

/** One candidate in full. */
export function showCandidate(candidate, draw) {
  const { turn, sample, valid, reward, error, circuit } = candidate;
  $("candidate").hidden = false;
  $("candidate-title").textContent = `Turn ${turn}, candidate ${sample + 1}`;
  $("candidate-why").textContent = valid
    ? `Valid: reward ${number(reward)}, approximation ratio ${number(candidate.approximation_ratio)}, ` +
      `${plural(candidate.num_gates, "gate")}, depth ${candidate.depth}.`
    : `Not valid (${words(error?.kind ?? "unknown")}): ${error?.message ?? "no reason was given"}`;
  $("candidate-text").textContent = circuit;
  const button = el("button", { type: "button", class: "quiet", onclick: draw }, "Draw this circuit");
  $("candidate-draw").replaceChildren(...(valid ? [button] : []));
}
