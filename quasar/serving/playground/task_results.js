// What came out of a task other than graph problems: its parts, and a drawing by its kind.

import { amplitudeTable } from "./amplitudes.js";
import { $, el, number, plural, svg, words } from "./dom.js";

/** Tiles of the result: the reward, its parts, the circuit's size. */
export function taskFigures({ report, reward }, asked) {
  const { parts } = report.task;
  return [
    ["Done", report.task.success ? "✓ yes" : "✗ not yet"],
    ["Reward", number(reward), `0: no better than ${report.task.baseline}`],
    ...Object.entries(parts).map(([name, value]) => [words(name), number(value), asked.task.parts[name]?.meaning ?? ""]),
    ["Gates", number(report.num_gates), `${report.num_two_qubit_gates} on two or more qubits`],
    ["Depth", number(report.depth), plural(report.num_qubits, "qubit")],
  ];
}

/** The task's own part of the result. */
export function showTask({ task }) {
  $("headline").textContent = `${task.headline}.`.replace(/^./, (first) => first.toUpperCase());
  const made = DRAWINGS[task.drawing?.kind];
  const [title, ...shown] = made ? made(task) : ["Figures", figuresTable(task.figures)];
  $("task-title").textContent = title;
  $("task-shown").replaceChildren(...shown);
}

const DRAWINGS = { amplitudes, levels, tableau };

/** What a reader scrolls sideways or down to see whole. */
const scrolled = (name, ...shown) => el("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": name }, ...shown);
const hint = (text) => el("p", { class: "hint" }, text);
const more = (count, what) => (count ? [hint(`${plural(count, what)} more, not shown.`)] : []);

function figuresTable(figures) {
  const rows = Object.entries(figures).map(([name, value]) =>
    el("tr", {}, el("th", { scope: "row" }, words(name)), el("td", {}, number(value, 4))));
  return el("table", { class: "plain" }, el("tbody", {}, rows));
}

// ---- state preparation --------------------------------------------------------------------------

function amplitudes({ drawing }) {
  return [
    "Amplitudes",
    scrolled("Amplitudes wanted and reached", amplitudeTable(drawing.amplitudes)),
    hint("Bar: magnitude. Dial and colour: phase. The global phase, which does not matter, is that of the target. " +
      "The first bit is qubit 0."),
    ...more(drawing.omitted, "basis state"),
  ];
}

// ---- ground state -------------------------------------------------------------------------------

const [WIDTH, TOP, FIELD, GAP] = [360, 16, 200, 22];

/** Places of the labels: as near to their lines as they may be without hiding each other. */
function spread(ys) {
  const order = ys.map((y, i) => [y, i]).toSorted((a, b) => a[0] - b[0]);
  const places = [];
  let last = -Infinity;
  for (const [y, i] of order) places[i] = last = Math.max(y, last + GAP);
  let most = TOP * 2 + FIELD - GAP / 2;
  for (const [, i] of order.toReversed()) {
    places[i] = Math.min(places[i], most);
    most = places[i] - GAP;
  }
  return places;
}

function levels({ drawing, figures, success }) {
  const energies = drawing.levels.map(({ energy }) => energy);
  const [low, high] = [Math.min(...energies), Math.max(...energies)];
  const span = high - low || 1;
  const y = (energy) => TOP + ((high - energy) / span) * FIELD;
  const places = spread(energies.map(y));
  const told = drawing.levels.map(({ name, energy }) => `${name} ${number(energy, 4)}`).join(", ");
  const root = svg("svg", { class: "levels", viewBox: `0 0 ${WIDTH} ${TOP * 2 + FIELD}`, role: "img", "aria-label": `Energy levels: ${told}` });
  const band = figures.tolerance === undefined ? null : Math.min(figures.tolerance, span);
  if (band !== null) root.append(svg("rect", { class: "band", x: 8, width: 120, y: y(low + band), height: Math.max(1.5, y(low) - y(low + band)) }));
  drawing.levels.forEach(({ name, energy }, i) => {
    const own = name === "this circuit" ? `own ${success ? "good" : ""}` : name === "ground state" ? "ground" : "";
    root.append(svg("g", { class: `level ${own}` },
      svg("line", { x1: 8, x2: 128, y1: y(energy), y2: y(energy) }),
      svg("path", { class: "lead", d: `M128 ${y(energy)}L146 ${places[i]}` }),
      svg("text", { x: 150, y: places[i], dy: "0.35em" }, `${name}  ${number(energy, 4)}`)));
  });
  const { value, tolerance, unit } = drawing.error;
  const costly = drawing.terms.filter(({ excess }) => Math.abs(excess) >= 5e-5);
  return [
    "Energy levels",
    root,
    el("p", { class: success ? "verdict good" : "verdict" }, `Error: ${signed(value, Math.abs(value) < 10 ? 3 : 1)} ${unit}; a success has at most ${number(tolerance, 2)}.`),
    ...(costly.length ? [
      el("h3", {}, "Terms with the largest error"), scrolled("Terms", termsTable(costly)), ...more(drawing.omitted, "term"),
    ] : []),
  ];
}

function termsTable(terms) {
  const largest = Math.max(...terms.map(({ excess }) => Math.abs(excess)), 1e-9);
  const head = ["term", "⟨P⟩ reached", "wanted", "adds to the energy"];
  return el("table", { class: "plain" },
    el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, terms.map(({ word, coefficient, mean, wanted, excess }) => {
      const bar = el("span", { class: excess > 0 ? "bar costs" : "bar" });
      bar.style.width = `${(100 * Math.abs(excess)) / largest}%`;
      return el("tr", {},
        el("th", { scope: "row" }, el("code", {}, `${number(coefficient, 4)} ${word}`)),
        el("td", {}, signed(mean, 3)), el("td", {}, signed(wanted, 3)),
        el("td", {}, el("span", { class: "track", "aria-hidden": "true" }, Math.abs(excess) < 5e-5 ? null : bar), el("span", {}, signed(excess, 4))));
    })));
}

const signed = (value, digits) => (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits).replace("-", "−");

// ---- stabiliser ---------------------------------------------------------------------------------

function string(word) {
  return el("code", { class: "string" }, word.startsWith("-") ? "−" : "+",
    [...word.slice(1)].map((letter) => el("span", { class: `pauli ${letter}` }, letter)));
}

function tableau({ drawing }) {
  const rows = drawing.rows.map(({ name, wanted, right, sign_alone: sign, got }) => {
    const state = right ? "✓ holds" : sign ? "± the sign is wrong" : "✗ does not hold";
    return el("tr", { class: right ? "right" : "wrong" },
      el("th", { scope: "row" }, meaning(name)), el("td", {}, string(wanted)),
      el("td", { class: "state" }, state), el("td", {}, got ? string(got) : null));
  });
  const logical = drawing.rows.some(({ name }) => !name.startsWith("S"));
  const instead = drawing.rows.some(({ got }) => got);
  const head = ["row", "wanted", "", instead ? "instead" : ""];
  return [
    "Tableau",
    scrolled("Rows of the tableau", el("table", { class: "plain tableau" },
      el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, rows))),
    hint("S: a stabiliser of what comes out." + (logical ? " X→ and Z→: what the Pauli operator of an input qubit becomes." : "") +
      " The first letter is of qubit 0."),
    ...more(drawing.omitted, "row"),
  ];
}

const meaning = (name) => (name.startsWith("S") ? name : `${name} →`);
