// An answer shown on its graph and told in words, by the form that the problem's answers have.

import { el } from "./dom.js";
import { drawGraph } from "./drawing.js";
import { joined } from "./graph.js";

const listed = (ids) => (ids.length ? ids.join(", ") : "none");
const pair = (u, v, shape) => `${u}${shape.directed ? "→" : "–"}${v}`;

/** For each form: what is special on the graph (as `drawGraph` takes it), and the words. */
const FORMS = {
  nodes(answer) {
    const chosen = new Set(answer);
    return {
      node: (id) => ({ class: chosen.has(id) ? "chosen" : "rest" }),
      edge: ({ u, v }) => ({ class: chosen.has(u) || chosen.has(v) ? "" : "rest" }),
      told: `Chosen nodes: ${listed(answer)}`,
    };
  },
  side(answer, graph, shape) {
    const side = new Set(answer);
    const other = graph.nodes.map((node) => node.id).filter((id) => !side.has(id));
    // of a directed edge only the way from the first side to the other counts
    const cut = ({ u, v }) => (shape.directed ? side.has(u) && !side.has(v) : side.has(u) !== side.has(v));
    const split = graph.hyperedges.map((ids) => new Set(ids.map((id) => side.has(id))).size > 1);
    return {
      node: (id) => ({ class: side.has(id) ? "chosen hue0" : "chosen hue1" }),
      edge: (edge) => ({ class: cut(edge) ? "cut" : "rest" }),
      hyperedge: (index) => ({ class: split[index] ? "chosen" : "rest" }),
      told: `One side: ${listed(answer)}; the other: ${listed(other)}`,
    };
  },
  edges(answer, graph, shape) {
    const chosen = new Set(answer.map(([u, v]) => joined(graph, u, v, shape)));
    const ends = new Set(answer.flat());
    return {
      node: (id) => ({ class: ends.has(id) ? "" : "rest" }),
      edge: (edge) => ({ class: chosen.has(edge) ? "chosen" : "rest" }),
      told: `Chosen edges: ${listed(answer.map(([u, v]) => pair(u, v, shape)))}`,
    };
  },
  hyperedges(answer, graph) {
    const key = (ids) => JSON.stringify([...ids].map(String).sort());
    const chosen = new Set(answer.map(key));
    return {
      hyperedge: (index) => ({ class: chosen.has(key(graph.hyperedges[index])) ? "chosen" : "rest" }),
      told: `Chosen hyperedges: ${listed(answer.map((ids) => `{${ids.join(", ")}}`))}`,
    };
  },
  groups(answer) {
    const of = (id) => answer.flatMap((ids, i) => (ids.includes(id) ? [i] : []));
    const mark = (groups) => (groups.length === 1 ? `${groups[0] + 1}` : groups.length ? "several" : "none");
    return {
      node(id) {
        const groups = of(id);
        return { class: groups.length === 1 ? `chosen hue${groups[0] % 8}` : "wrong", mark: mark(groups) };
      },
      told: answer.map((ids, i) => `Group ${i + 1}: ${listed(ids)}`).join("; "),
    };
  },
  path(answer, graph, shape) {
    const steps = answer.slice(1).map((v, i) => [answer[i], v]).filter((step) => !step.includes(null));
    const along = new Set(steps.map(([u, v]) => joined(graph, u, v, shape)));
    return {
      node: (id) => ({
        class: answer.includes(id) ? "chosen" : "wrong",
        mark: answer.includes(id) ? `${answer.indexOf(id) + 1}.` : null,
      }),
      edge: (edge) => ({ class: along.has(edge) ? "chosen" : "rest" }),
      told: `Path: ${answer.map((id) => id ?? "?").join(" → ")}`,
    };
  },
  flow(answer, graph, shape) {
    const flows = new Map(answer.map(([u, v, flow]) => [joined(graph, u, v, shape), flow]));
    const used = answer.filter(([, , flow]) => flow > 0);
    return {
      edge: (edge) => ({
        class: flows.get(edge) > 0 ? "chosen" : "rest",
        label: `${flows.get(edge) ?? 0}/${edge.value}`,
      }),
      told: `Flow: ${listed(used.map(([u, v, flow]) => `${flow} along ${u}→${v}`))}`,
    };
  },
  pairs(answer) {
    const match = new Map(answer.filter(([a, b]) => a !== null && b !== null));
    return {
      node: (id) => ({
        class: match.has(id) ? "chosen" : "wrong",
        mark: match.has(id) ? `→ ${match.get(id)}` : "no match",
      }),
      told: `Matches: ${listed(answer.map(([a, b]) => `${a ?? "?"} → ${b ?? "?"}`))}`,
    };
  },
  other: (answer) => ({ told: JSON.stringify(answer) }),
};

/**
 * Draw the graph with an outcome's answer into an <svg>; gives the words.
 * asked: {problem, graph, shape, marks} of the request; a problem in another form is told as JSON.
 */
export function drawAnswer(root, asked, outcome) {
  let shown = {};
  if (outcome.answer !== null && outcome.answer !== undefined) {
    const form = FORMS[asked.problem.answer_form] ?? FORMS.other;
    shown = form(outcome.answer, asked.graph, asked.shape);
  }
  drawGraph(root, asked.graph, asked.shape, {
    ...shown,
    node(id) {
      const { class: name, mark } = shown.node?.(id) ?? {};
      const marks = [asked.marks.get(id), mark].filter(Boolean);
      return { class: name, mark: marks.join(" · ") || null };
    },
  });
  root.setAttribute("aria-label", `The graph with the answer. ${shown.told ?? ""}`);
  return shown.told ?? "This problem's bitstrings are not decoded here.";
}

/** How good an outcome is, as a badge. */
export function verdict(outcome) {
  if (outcome.feasible === false) return el("span", { class: "badge bad" }, "✗ infeasible");
  if (outcome.optimal) return el("span", { class: "badge best" }, "★ optimal");
  if (outcome.feasible) return el("span", { class: "badge" }, "feasible");
  return el("span", { class: "badge" }, "not optimal");
}
