// The form for what a problem needs besides its graph: source and sink, terminals, a number, …

import { $, el, words } from "./dom.js";
import { arrange, toRequest } from "./graph.js";
import { formatGraph, parseGraph } from "./notation.js";

const PLAIN = {
  name: "this graph", hyper: false, clauses: false, directed: false, joins: true, edgeValue: null, nodeValues: [],
};

/** Values for a graph that come from nowhere else: the first and the last node, two, … */
export function defaultAttributes(problem, graph) {
  const ids = graph.nodes.map((node) => node.id);
  const nodes = Object.entries(problem.attributes).filter(([, { kind }]) => kind === "node");
  return Object.fromEntries(
    Object.entries(problem.attributes).map(([name, { kind, choices }]) => {
      const example = problem.example.attributes[name];
      if (kind === "node") {
        const last = nodes.length > 1 && nodes.at(-1)[0] === name;
        return [name, (last ? ids.at(-1) : ids[0]) ?? null];
      }
      if (kind === "nodes") return [name, ids.filter((_, i) => i % 2 === 0)];
      if (kind === "choice") return [name, choices.includes("maximum") ? "maximum" : choices[0]];
      if (kind === "graph") return [name, toRequest(reversed(graph), PLAIN)];
      return [name, Number.isInteger(example) ? Math.min(example, Math.max(2, ids.length)) : 2];
    }),
  );
}

/** The same graph with its nodes named the other way round. */
function reversed(graph) {
  const ids = graph.nodes.map((node) => node.id);
  const other = new Map(ids.map((id, i) => [id, ids[ids.length - 1 - i]]));
  const edges = graph.edges.map(({ u, v }) => ({ u: other.get(u), v: other.get(v), value: 1 }));
  return { nodes: ids.map((id) => ({ id, data: {} })), edges, hyperedges: [] };
}

/** Values kept where the graph still has their nodes. */
export function keepValid(problem, graph, values) {
  const ids = graph.nodes.map((node) => node.id);
  const fresh = defaultAttributes(problem, graph);
  for (const [name, { kind }] of Object.entries(problem.attributes)) {
    const value = values[name];
    if (value === undefined) values[name] = fresh[name];
    else if (kind === "node" && !ids.includes(value)) values[name] = fresh[name];
    else if (kind === "nodes") values[name] = value.filter((id) => ids.includes(id));
  }
  return values;
}

/** Values from elsewhere, e.g. a link: Error names the first that is not one for this graph. */
export function checkAttributes(problem, graph, values) {
  const ids = graph.nodes.map((node) => node.id);
  const whole = (value) => Number.isSafeInteger(value);
  const suits = {
    node: (value) => ids.includes(value),
    nodes: (value) => Array.isArray(value) && value.every((id) => ids.includes(id)),
    choice: (value, { choices }) => choices.includes(value),
    integer: whole,
    graph: (value) => Boolean(parseGraph(JSON.stringify(value), PLAIN)),
  };
  for (const name of Object.keys(values)) {
    if (!(name in problem.attributes)) throw new Error(`${words(problem.primitive)} has no attribute “${name}”`);
  }
  for (const [name, attribute] of Object.entries(problem.attributes)) {
    if (!(name in values)) throw new Error(`the attribute “${name}” is missing`);
    if (!suits[attribute.kind](values[name], attribute)) {
      throw new Error(`${words(name)} cannot be ${JSON.stringify(values[name])}`);
    }
  }
}

/** Labels of the nodes that attributes name: id → text. */
export function marksOf(problem, values) {
  const marks = new Map();
  for (const [name, { kind }] of Object.entries(problem.attributes)) {
    const label = words(name).replace(/ nodes?$/, "");
    if (kind === "node") marks.set(values[name], label);
    if (kind === "nodes") values[name].forEach((id) => marks.set(id, label));
  }
  return marks;
}

/**
 * Draw the form; `changed()` is called when a value was set in `values`, or could not be:
 * `mistakes` has what cannot be read, by name, as {text, message}.
 */
export function drawAttributes(problem, graph, values, mistakes, changed) {
  const fields = Object.entries(problem.attributes).map(([name, attribute]) =>
    FIELDS[attribute.kind](name, attribute, { graph, values, mistakes, changed }),
  );
  $("attributes").replaceChildren(...fields);
  $("attributes").hidden = fields.length === 0;
}

function labelled(name, control) {
  control.id = `attribute-${name}`;
  return el("div", { class: "field" }, el("label", { for: control.id }, words(name)), control);
}

/** A field whose text may be unreadable: `read(text)` gives the value or raises Error. */
function written(name, control, { values, mistakes, changed }, text, read) {
  const note = el("p", { class: "mistake", role: "alert", id: `attribute-${name}-mistake` });
  control.setAttribute("aria-describedby", note.id);
  const show = () => {
    const mistake = mistakes.get(name);
    note.textContent = mistake?.message ?? "";
    note.hidden = !mistake;
    if (mistake) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  };
  control.addEventListener("input", () => {
    try {
      values[name] = read(control.value);
      mistakes.delete(name);
    } catch (error) {
      mistakes.set(name, { text: control.value, message: error.message });
    }
    show();
    changed();
  });
  control.value = mistakes.get(name)?.text ?? text;
  show();
  const field = labelled(name, control);
  field.append(note);
  return field;
}

function choice(name, options, selected, set) {
  const control = el("select", { onchange: () => set(control.selectedIndex) });
  control.append(...options.map((text) => el("option", {}, String(text))));
  control.selectedIndex = selected;
  return labelled(name, control);
}

const FIELDS = {
  node(name, _, { graph, values, changed }) {
    const ids = graph.nodes.map((node) => node.id);
    return choice(name, ids, ids.indexOf(values[name]), (i) => {
      values[name] = ids[i];
      changed();
    });
  },
  choice(name, { choices }, { values, changed }) {
    return choice(name, choices.map(words), choices.indexOf(values[name]), (i) => {
      values[name] = choices[i];
      changed();
    });
  },
  nodes(name, _, { graph, values, changed }) {
    const boxes = graph.nodes.map(({ id }) => {
      const box = el("input", { type: "checkbox", onchange: () => {
        const chosen = new Set(values[name]);
        if (box.checked) chosen.add(id);
        else chosen.delete(id);
        values[name] = graph.nodes.map((node) => node.id).filter((other) => chosen.has(other));
        changed();
      } });
      box.checked = values[name].includes(id);
      return el("label", { class: "check" }, box, String(id));
    });
    return el("fieldset", { class: "field checks" }, el("legend", {}, words(name)), ...boxes);
  },
  integer(name, _, form) {
    const control = el("input", { type: "number", step: 1, inputmode: "numeric" });
    return written(name, control, form, form.values[name], (text) => {
      const value = Number(text);
      if (text === "" || !Number.isSafeInteger(value)) throw new Error(`${words(name)}: write a whole number`);
      return value;
    });
  },
  graph(name, _, form) {
    const control = el("textarea", { rows: 2, spellcheck: "false" });
    const text = formatGraph(arrange(parseGraph(JSON.stringify(form.values[name]), PLAIN)), PLAIN);
    return written(name, control, form, text, (given) => toRequest(parseGraph(given, PLAIN), PLAIN));
  },
};
