// A graph as SVG: for the editor, and beside it for the answer.

import { number, svg } from "./dom.js";
import { HEIGHT, WIDTH, joined, nodeOf } from "./graph.js";

export const RADIUS = 15;
const ARROW = 8;

/**
 * Draw a graph into an <svg>. `decor` says what is special:
 * node(id) → {class, mark, title}, edge(edge) → {class, label}, hyperedge(index) → {class};
 * `focus` is the key of the element in the tab order, `label(key)` its name. Each element has
 * data-key: "n:ID", "e:INDEX" or "h:INDEX".
 */
export function drawGraph(root, graph, shape, decor = {}) {
  root.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const edges = graph.edges.map((edge, i) => drawEdge(graph, shape, edge, `e:${i}`, decor));
  const hyperedges = graph.hyperedges.map((ids, i) => drawHyperedge(graph, ids, i, decor));
  const nodes = graph.nodes.map((node) => drawNode(node, shape, decor));
  root.replaceChildren(...hyperedges, ...edges, ...nodes);
}

function group(key, decor, className) {
  const attributes = { class: className, "data-key": key };
  if (decor.label) {
    attributes.role = "button";
    attributes["aria-label"] = decor.label(key);
    attributes["aria-pressed"] = String(decor.chosen.has(key));
    attributes.tabindex = decor.focus === key ? "0" : "-1";
  }
  return svg("g", attributes);
}

function drawNode(node, shape, decor) {
  const { class: name = "", mark } = decor.node?.(node.id) ?? {};
  const made = group(`n:${node.id}`, decor, `node ${name}`);
  made.setAttribute("transform", `translate(${node.x.toFixed(1)} ${node.y.toFixed(1)})`);
  const id = String(node.id);
  const shown = id.length > 5 ? `${id.slice(0, 4)}…` : id;
  made.append(
    svg("circle", { class: "hit", r: RADIUS + 7 }),
    svg("circle", { class: "ring", r: RADIUS + 4 }),
    svg("circle", { class: "dot", r: RADIUS }),
    svg("text", { class: "name", dy: "0.35em" }, shown),
  );
  if (shown !== id) made.append(svg("title", {}, id));
  const values = shape.nodeValues.map((key) => `${key[0]} ${number(node.data[key])}`);
  const notes = [mark, ...(values.length ? [values.join(" · ")] : [])].filter(Boolean);
  const below = node.y < HEIGHT - 45; // else the note would leave the field
  notes.forEach((note, i) => {
    const dy = below ? RADIUS + 14 + 12 * i : -RADIUS - 8 - 12 * i;
    made.append(" ", svg("text", { class: i === 0 && mark ? "note mark" : "note", dy }, note));
  });
  return made;
}

function drawEdge(graph, shape, edge, key, decor) {
  const [a, b] = [nodeOf(graph, edge.u), nodeOf(graph, edge.v)];
  const { class: name = "", label } = decor.edge?.(edge) ?? {};
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const [ux, uy] = [(b.x - a.x) / length, (b.y - a.y) / length];
  const twin = shape.directed && joined(graph, edge.v, edge.u, shape);
  const bend = twin ? 18 : 0; // so that there and back do not hide each other
  const middle = { x: (a.x + b.x) / 2 - uy * bend * 2, y: (a.y + b.y) / 2 + ux * bend * 2 };
  const end = shape.directed ? arrowEnd(middle, b) : b;
  const path = `M${point(a)}Q${point(middle)} ${point(end)}`;
  const made = group(key, decor, `edge ${name}`);
  made.append(svg("path", { class: "hit", d: path }), svg("path", { class: "line", d: path }));
  if (shape.directed) made.append(arrowHead(middle, b));
  const text = label ?? (shape.edgeValue ? number(edge.value) : null);
  if (text !== null) {
    const [x, y] = [(a.x + b.x) / 2 - uy * bend, (a.y + b.y) / 2 + ux * bend];
    made.append(svg("text", { class: "value", x: x.toFixed(1), y: y.toFixed(1), dy: "0.35em" }, text));
  }
  return made;
}

const point = ({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`;

function towards(from, to, distance) {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const share = (length - distance) / length;
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

const arrowEnd = (from, to) => towards(from, to, RADIUS + ARROW);

function arrowHead(from, to) {
  const [tip, base] = [towards(from, to, RADIUS + 1), towards(from, to, RADIUS + 1 + ARROW)];
  const [dx, dy] = [(tip.x - base.x) / 2, (tip.y - base.y) / 2];
  const corners = [tip, { x: base.x - dy, y: base.y + dx }, { x: base.x + dy, y: base.y - dx }];
  return svg("path", { class: "head", d: `M${corners.map(point).join("L")}Z` });
}

/** A small square joined with each of its nodes. */
function drawHyperedge(graph, ids, index, decor) {
  const nodes = ids.map((id) => nodeOf(graph, id)).filter(Boolean);
  const { class: name = "" } = decor.hyperedge?.(index) ?? {};
  const mean = (axis) => nodes.reduce((sum, node) => sum + node[axis], 0) / (nodes.length || 1);
  const turn = index * 2.4; // squares of hyperedges with one middle stay apart
  const apart = nodes.length === 1 ? 2 * RADIUS + 6 : 7;
  const x = mean("x") + apart * Math.cos(turn);
  const y = mean("y") + apart * Math.sin(turn);
  const made = group(`h:${index}`, decor, `edge hyper hue${index % 8} ${name}`);
  const path = nodes.map((node) => `M${point({ x, y })}L${point(node)}`).join("");
  made.append(
    svg("path", { class: "hit", d: path }),
    svg("path", { class: "line", d: path }),
    svg("rect", { class: "hub", x: (x - 6).toFixed(1), y: (y - 6).toFixed(1), width: 12, height: 12, rx: 3 }),
  );
  return made;
}
