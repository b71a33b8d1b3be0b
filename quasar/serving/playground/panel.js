// The problem as it is being stated: primitive, graph (drawn and as text), attributes.

import { defaultAttributes, drawAttributes, keepValid, marksOf } from "./attributes.js";
import { $, el, words } from "./dom.js";
import { Editor } from "./editor.js";
import {
  EXAMPLES, arrange, emptyGraph, exampleGraph, fits, formatGraph, nodeOf, parseGraph, shapeOf, toRequest,
} from "./graph.js";

const HINTS = {
  draw: "Tap an empty place for a node. Drag from node to node, or choose two, for an edge.",
  hyper: "Tap an empty place for a node. Choose several, then “Join chosen”, for a hyperedge.",
  items: "Tap an empty place for a node; choose one to set its numbers. There are no edges here.",
  move: "Drag a node to another place.",
  delete: "Tap a node or an edge to remove it.",
};

export class Panel {
  /** problems: those of GET /v1/problems; said(text) tells a screen reader. */
  constructor(problems, said) {
    this.problems = problems;
    this.values = {};
    this.editor = new Editor($("editor"), {
      changed: () => this.#graphChanged(),
      chosen: (key) => this.#inspect(key),
      said,
    });
    $("primitive").replaceChildren(
      ...problems.map(({ primitive }) => el("option", { value: primitive }, words(primitive))),
    );
    $("primitive").addEventListener("change", () => this.pick($("primitive").value));
    $("example").addEventListener("change", () => this.#example($("example").value));
    $("edges").addEventListener("input", () => this.#read());
    $("edges").addEventListener("change", () => this.#write());
    $("tools").addEventListener("change", (event) => this.#useTool(event.target.value));
    $("undo").addEventListener("click", () => this.editor.undo());
    $("clear").addEventListener("click", () => this.editor.load(emptyGraph(), this.shape));
    $("arrange").addEventListener("click", () => this.editor.edit(arrange));
    $("join").addEventListener("click", () => this.editor.joinChosen());
  }

  get graph() {
    return this.editor.graph;
  }

  /** What a request states: primitive, graph, attributes. */
  get request() {
    const { primitive } = this.problem;
    const graph = toRequest(this.graph, this.shape);
    const names = Object.keys(this.problem.attributes);
    if (!names.length) return { primitive, graph };
    return { primitive, graph, attributes: Object.fromEntries(names.map((name) => [name, this.values[name]])) };
  }

  /** A copy of all that an answer is shown with, as it is now. */
  asked() {
    const marks = marksOf(this.problem, this.values);
    return { problem: this.problem, graph: structuredClone(this.graph), shape: this.shape, marks };
  }

  /** Take another problem: its graph stays where it makes sense there, else comes from the example. */
  pick(primitive, { text = null, attributes = null } = {}) {
    const before = this.shape;
    this.problem = this.problems.find((problem) => problem.primitive === primitive) ?? this.problems[0];
    this.shape = shapeOf(this.problem);
    $("primitive").value = this.problem.primitive;
    $("question").textContent = this.problem.summary;
    this.#texts();
    const kept = before && fits(before, this.shape) && this.graph.nodes.length > 0;
    this.values = {};
    if (text !== null) {
      this.#take(arrange(parseGraph(text, this.shape)), attributes);
    } else if (kept && !this.#isSpecial()) {
      for (const node of this.graph.nodes) {
        for (const name of this.shape.nodeValues) node.data[name] ??= 1;
      }
      this.#take(this.graph, null);
    } else {
      this.#example(before || !this.#plain() ? "own" : "house");
    }
    this.#useTool(this.editor.tool);
  }

  /** Problems whose graphs must have a form that a drawn graph seldom has. */
  #isSpecial() {
    return Object.values(this.problem.attributes).some(({ kind }) => kind === "graph");
  }

  #plain() {
    return !this.shape.hyper && !this.shape.directed && this.shape.joins;
  }

  #example(name) {
    $("example").value = "";
    if (name === "own") {
      const { graph, attributes } = this.problem.example;
      const own = parseGraph(JSON.stringify(graph), this.shape);
      this.#take(arrange(own), structuredClone(attributes));
    } else if (name) {
      this.#take(exampleGraph(name, this.shape), null);
    }
  }

  #take(graph, attributes) {
    this.values = attributes ?? defaultAttributes(this.problem, graph);
    this.editor.load(graph, this.shape, { keep: this.editor.graph.nodes.length > 0 });
  }

  #texts() {
    const { shape } = this;
    const examples = Object.entries(shape.hyper || !shape.joins ? {} : EXAMPLES);
    $("example").replaceChildren(
      el("option", { value: "" }, "Examples …"),
      el("option", { value: "own" }, "Example of this problem"),
      ...examples.map(([name, title]) => el("option", { value: name }, title)),
    );
    const arrow = shape.directed ? "->" : "-";
    const value = shape.edgeValue ? ":2" : "";
    const form = shape.hyper ? "{0,1,2} {1,3}"
      : !shape.joins ? `0(${shape.nodeValues.join(",")}) 1(…)`
      : `0${arrow}1${value} 1${arrow}2${value}`;
    const meaning = shape.edgeValue ? ` (the number is the ${shape.edgeValue})` : "";
    $("edges-hint").textContent = `Write ${form}${meaning}, or paste node-link JSON.`;
    $("join").hidden = !shape.hyper;
  }

  #useTool(tool) {
    this.editor.tool = tool;
    const kind = tool !== "draw" || (this.shape.joins && !this.shape.hyper) ? tool : this.shape.hyper ? "hyper" : "items";
    $("tool-hint").textContent = HINTS[kind];
    $("editor").dataset.tool = tool;
  }

  // ---- text and drawing kept the same -----------------------------------------------------------

  #graphChanged() {
    keepValid(this.problem, this.graph, this.values);
    this.#drawMarks();
    drawAttributes(this.problem, this.graph, this.values, () => this.#drawMarks());
    if (document.activeElement !== $("edges")) this.#write();
    $("undo").disabled = this.editor.past.length === 0;
  }

  #drawMarks() {
    this.editor.mark(marksOf(this.problem, this.values));
  }

  #write() {
    if (!$("edges-mistake").hidden && document.activeElement === $("edges")) return;
    $("edges").value = formatGraph(this.graph, this.shape);
    this.#mistake(null);
  }

  #read() {
    let graph;
    try {
      graph = parseGraph($("edges").value, this.shape);
    } catch (error) {
      this.#mistake(error instanceof SyntaxError ? `this is not JSON: ${error.message}` : error.message);
      return;
    }
    this.#mistake(null);
    const places = graph.nodes.map((node) => nodeOf(this.graph, node.id));
    if (places.every(Boolean)) graph.nodes.forEach((node, i) => Object.assign(node, { x: places[i].x, y: places[i].y }));
    else arrange(graph);
    this.editor.load(graph, this.shape);
  }

  #mistake(message) {
    $("edges-mistake").hidden = message === null;
    $("edges-mistake").textContent = message ?? "";
    if (message === null) $("edges").removeAttribute("aria-invalid");
    else $("edges").setAttribute("aria-invalid", "true");
  }

  // ---- what is chosen ---------------------------------------------------------------------------

  #inspect(key) {
    const { node, edge, hyperedge } = this.editor.at(key);
    const found = node ?? edge ?? hyperedge;
    $("inspector").hidden = !found;
    if (!found) return;
    const parts = [el("strong", {}, this.editor.name(key).split(",")[0])];
    for (const name of node ? this.shape.nodeValues : []) {
      parts.push(this.#numberField(name, node.data[name], (value) => (node.data[name] = value)));
    }
    if (edge && this.shape.edgeValue) {
      parts.push(this.#numberField(this.shape.edgeValue, edge.value, (value) => (edge.value = value)));
    }
    if (edge && this.shape.directed) {
      parts.push(el("button", { type: "button", class: "quiet", onclick: () =>
        this.editor.edit(() => ([edge.u, edge.v] = [edge.v, edge.u])) }, "Turn round"));
    }
    parts.push(el("button", { type: "button", class: "quiet", onclick: () => this.editor.remove(key) }, "Remove"));
    $("inspector").replaceChildren(...parts);
  }

  #numberField(name, value, set) {
    const id = `chosen-${name}`;
    const input = el("input", { id, type: "number", min: 0, step: "any", inputmode: "decimal" });
    input.value = value;
    input.addEventListener("change", () => {
      if (Number.isFinite(input.valueAsNumber)) this.editor.edit(() => set(input.valueAsNumber));
      $(id)?.focus();
    });
    return el("span", { class: "field inline" }, el("label", { for: id }, name), input);
  }
}
