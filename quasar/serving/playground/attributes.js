// The form for what a problem needs besides its graph: source and sink, terminals, a number, …

import { $, el, words } from "./dom.js";
import { arrange, formatGraph, parseGraph, toRequest } from "./graph.js";

const PLAIN = { hyper: false, directed: false, joins: true, edgeValue: null, nodeValues: [] };

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

/** Draw the form; `changed()` is called when a value was set in `values`. */
export function drawAttributes(problem, graph, values, changed) {
  const fields = Object.entries(problem.attributes).map(([name, attribute]) =>
    FIELDS[attribute.kind](name, attribute, graph, values, changed),
  );
  $("attributes").replaceChildren(...fields);
  $("attributes").hidden = fields.length === 0;
}

function labelled(name, control) {
  control.id = `attribute-${name}`;
  return el("div", { class: "field" }, el("label", { for: control.id }, words(name)), control);
}

function choice(name, options, selected, set) {
  const control = el("select", { onchange: () => set(control.selectedIndex) });
  control.append(...options.map((text) => el("option", {}, String(text))));
  control.selectedIndex = selected;
  return labelled(name, control);
}

const FIELDS = {
  node(name, _, graph, values, changed) {
    const ids = graph.nodes.map((node) => node.id);
    return choice(name, ids, ids.indexOf(values[name]), (i) => {
      values[name] = ids[i];
      changed();
    });
  },
  choice(name, { choices }, _, values, changed) {
    return choice(name, choices.map(words), choices.indexOf(values[name]), (i) => {
      values[name] = choices[i];
      changed();
    });
  },
  nodes(name, _, graph, values, changed) {
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
  integer(name, _, __, values, changed) {
    const control = el("input", { type: "number", min: 1, step: 1, inputmode: "numeric", onchange: () => {
      values[name] = control.valueAsNumber || 1;
      control.value = values[name];
      changed();
    } });
    control.value = values[name];
    return labelled(name, control);
  },
  graph(name, _, __, values, changed) {
    const note = el("p", { class: "mistake", role: "alert", hidden: true });
    const control = el("textarea", { rows: 2, spellcheck: "false", onchange: () => {
      try {
        values[name] = toRequest(parseGraph(control.value, PLAIN), PLAIN);
        note.hidden = true;
        changed();
      } catch (error) {
        note.textContent = error.message;
        note.hidden = false;
      }
    } });
    control.value = formatGraph(arrange(parseGraph(JSON.stringify(values[name]), PLAIN)), PLAIN);
    const field = labelled(name, control);
    field.append(note);
    return field;
  },
};
