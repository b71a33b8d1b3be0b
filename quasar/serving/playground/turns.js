// The candidates of a search, turn by turn, and one of them in full.

import { $, el, number, plural, words } from "./dom.js";

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
      el("span", { class: "why" }, valid ? goodness(candidate) : words(error?.kind ?? "not valid")));
    card.dataset.valid = valid ? goodness(candidate) : "";
    return card;
  }

  #star() {
    for (const card of $("turns").querySelectorAll(".card")) {
      const is = this.best && card.dataset.place === `${this.best.turn}.${this.best.sample}`;
      card.classList.toggle("best", Boolean(is));
      const why = card.querySelector(".why");
      if (card.classList.contains("valid")) why.textContent = is ? "★ best" : card.dataset.valid;
    }
  }
}

/** What is said of a valid candidate: of a task also whether it does what is asked. */
const goodness = ({ success }) => (success ? "✓ does it" : "valid");

const waiting = (sample, what) =>
  el("span", { class: "card waiting" }, el("span", { class: "sample" }, `#${sample + 1}`),
    el("strong", { "aria-hidden": "true" }, "·"), el("span", { class: "why" }, what));

/** One candidate in full. */
export function showCandidate(candidate, draw) {
  const { turn, sample, valid, reward, error, circuit } = candidate;
  $("candidate").hidden = false;
  $("candidate-title").textContent = `Turn ${turn}, candidate ${sample + 1}`;
  $("candidate-why").textContent = valid
    ? `Valid: reward ${number(reward)}, ${quality(candidate)}, ` +
      `${plural(candidate.num_gates, "gate")}, depth ${candidate.depth}.`
    : `Not valid (${words(error?.kind ?? "unknown")}): ${error?.message ?? "no reason was given"}`;
  $("candidate-text").textContent = circuit;
  const button = el("button", { type: "button", class: "quiet", onclick: draw }, "Draw this circuit");
  $("candidate-draw").replaceChildren(...(valid ? [button] : []));
}

const quality = ({ success, approximation_ratio: ratio }) =>
  ratio === null ? (success ? "does what is asked" : "does not do what is asked") : `approximation ratio ${number(ratio)}`;
