// Amplitudes as a table: magnitude as a bar, phase as a hand on a dial and as the bar's colour, both
// in figures.

import { el, svg } from "./dom.js";
import { polar } from "./quantities.js";

const RADIUS = 8;

function dial(degrees) {
  const turn = (degrees * Math.PI) / 180;
  const end = { x2: (RADIUS * Math.cos(turn)).toFixed(2), y2: (-RADIUS * Math.sin(turn)).toFixed(2) };
  return svg("svg", { class: "dial", viewBox: "-10 -10 20 20", width: 18, height: 18, "aria-hidden": "true" },
    svg("circle", { r: RADIUS }), svg("line", { x1: 0, y1: 0, ...end }));
}

function amplitude(value) {
  const { size, degrees } = polar(value);
  const bar = el("span", { class: "bar" });
  bar.style.width = `${Math.min(100, 100 * size)}%`;
  bar.style.setProperty("--phase", `${degrees}deg`);
  const shown = size < 5e-4 ? "0" : size.toFixed(3);
  const angle = shown === "0" ? "" : `${degrees.toFixed(0).replace("-", "−")}°`;
  return el("td", {},
    el("span", { class: "track", "aria-hidden": "true" }, bar),
    el("span", { class: "polar" }, el("span", {}, shown), ...(angle ? [dial(degrees), el("span", {}, angle)] : [])));
}

const mark = (right) =>
  el("td", { class: right ? "right" : "wrong" }, el("span", { "aria-hidden": "true" }, right ? "✓" : "✗"),
    el("span", { class: "offscreen" }, right ? "right" : "wrong"));

/** rows: {ket, target, state, right} each, amplitudes as [re, im]; state may be missing in all. */
export function amplitudeTable(rows) {
  const reached = rows.length > 0 && rows[0].state !== undefined;
  const head = ["state", "wanted", ...(reached ? ["reached", ""] : [])];
  return el("table", { class: "amplitudes" },
    el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, rows.map((row) => el("tr", {},
      el("th", { scope: "row" }, el("code", {}, `|${row.ket}⟩`)), amplitude(row.target),
      ...(reached ? [amplitude(row.state), mark(row.right)] : [])))));
}
