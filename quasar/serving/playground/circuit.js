// A circuit as SVG, from the gates and columns that the endpoint tells.

import { number, svg } from "./dom.js";

const ROW = 46;
const BOX = 30;
const TOP = 26;
const CHARACTER = 7.2; // width of one at the font size of an angle

// Gates with controls: name → [how many qubits control, what is drawn on the rest].
const CONTROLLED = {
  cx: [1, "⊕"], CX: [1, "⊕"], ccx: [2, "⊕"], cz: [1, "•"], cy: [1, "Y"], ch: [1, "H"],
  crx: [1, "RX"], cry: [1, "RY"], crz: [1, "RZ"], cp: [1, "P"], cphase: [1, "P"], cu: [1, "U"],
  swap: [0, "×"], cswap: [1, "×"],
};
const NAMES = { sdg: "S†", tdg: "T†", sx: "√X", id: "I", phase: "P", u1: "P", u2: "U2", u3: "U", U: "U" };

/** Draw into an <svg>; `numQubits` wires, `drawing` of a verification report. */
export function drawCircuit(root, numQubits, drawing) {
  const columns = columnsOf(drawing.gates);
  const labels = Array.from({ length: numQubits }, (_, q) => drawing.variables[q] ?? "");
  const longest = Math.max(0, ...labels.map((label) => clip(label).length));
  const left = 40 + (longest ? longest * 6.4 + 10 : 0);
  let x = left + 14;
  for (const column of columns) {
    column.x = x + column.width / 2;
    x += column.width + 10;
  }
  const omitted = drawing.omitted_gates > 0;
  const end = x + (omitted ? 40 : 0);
  const [width, height] = [end + 52, TOP * 2 + (numQubits - 1) * ROW];
  root.setAttribute("viewBox", `0 0 ${width} ${height}`);
  root.setAttribute("width", width);
  root.setAttribute("height", height);
  const y = (q) => TOP + q * ROW;
  const wires = labels.map((label, q) =>
    svg("g", {},
      svg("line", { class: "wire", x1: left, x2: end + 14, y1: y(q), y2: y(q) }),
      svg("text", { class: "qubit", x: 4, y: y(q), dy: "0.35em" }, `q${q}`),
      label && svg("text", { class: "variable", x: 34, y: y(q), dy: "0.35em" }, clip(label), svg("title", {}, label)),
      measure(end + 30, y(q)),
    ),
  );
  const gates = columns.flatMap((column) => column.gates.map((gate) => drawGate(gate, column.x, y)));
  const rest = omitted
    ? svg("text", { class: "more", x: x + 14, y: TOP - 14 }, `+${drawing.omitted_gates} gates`)
    : null;
  root.replaceChildren(...wires, ...gates, ...(rest ? [rest] : []));
}

const clip = (label) => (label.length > 12 ? `${label.slice(0, 11)}…` : label);

const angles = (gate) => gate.params.map((angle) => number(angle, 2)).join(", ");

function columnsOf(gates) {
  const columns = [];
  for (const gate of gates) {
    columns[gate.column] ??= { gates: [], width: BOX };
    const column = columns[gate.column];
    column.gates.push(gate);
    const text = gate.params.length ? Math.max(angles(gate).length * CHARACTER, 18) + 10 : BOX;
    column.width = Math.max(column.width, text);
  }
  return columns;
}

function drawGate(gate, x, y) {
  const [controls, symbol] = CONTROLLED[gate.name] ?? [0, NAMES[gate.name] ?? gate.name.toUpperCase()];
  const ys = gate.qubits.map(y);
  const kind = gate.qubits.length > 1 ? "entangles" : gate.params.length ? "rotates" : "fixed";
  const made = svg("g", { class: `gate ${kind}` });
  const exact = gate.params.length ? `(${gate.params.join(", ")})` : "";
  made.append(svg("title", {}, `${gate.name}${exact} ${gate.qubits.map((q) => `q${q}`).join(", ")}`));
  if (ys.length > 1) {
    made.append(svg("line", { class: "link", x1: x, x2: x, y1: Math.min(...ys), y2: Math.max(...ys) }));
  }
  ys.forEach((at, i) => made.append(...(i < controls ? [dot(x, at)] : target(symbol, gate, x, at))));
  return made;
}

const dot = (x, y) => svg("circle", { class: "control", cx: x, cy: y, r: 5 });

function target(symbol, gate, x, y) {
  if (symbol === "•") return [dot(x, y)];
  if (symbol === "⊕") {
    return [
      svg("circle", { class: "plus", cx: x, cy: y, r: 11 }),
      svg("path", { class: "sign", d: `M${x - 11} ${y}h22M${x} ${y - 11}v22` }),
    ];
  }
  if (symbol === "×") return [svg("path", { class: "sign", d: `M${x - 7} ${y - 7}l14 14m0 -14l-14 14` })];
  const angle = angles(gate);
  const width = Math.max(BOX, angle.length * CHARACTER + 8);
  const parts = [svg("rect", { class: "box", x: x - width / 2, y: y - BOX / 2 - 3, width, height: BOX + 6, rx: 5 })];
  parts.push(svg("text", { class: "gate-name", x, y: angle ? y - 7 : y, dy: "0.35em" }, symbol));
  if (angle) parts.push(svg("text", { class: "angle", x, y: y + 9, dy: "0.35em" }, angle));
  return parts;
}

function measure(x, y) {
  return svg("g", { class: "measure" },
    svg("title", {}, "measurement"),
    svg("rect", { class: "box", x: x - 15, y: y - 14, width: 30, height: 28, rx: 5 }),
    svg("path", { class: "sign", d: `M${x - 9} ${y + 6}a9 9 0 0 1 18 0M${x} ${y + 6}l7 -11` }),
  );
}
