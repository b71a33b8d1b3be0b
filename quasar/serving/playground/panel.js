// The problem as it is being stated: primitive, graph (drawn and as text), attributes.

import { checkAttributes, defaultAttributes, drawAttributes, keepValid, marksOf } from "./attributes.js";
import { Refusal } from "./client.js";
import { $, el, words } from "./dom.js";
import { Editor } from "./editor.js";
import { EXAMPLES, arrange, emptyGraph, exampleGraph, fits, nodeOf, shapeOf, toRequest } from "./graph.js";
import { formatGraph, parseGraph } from "./notation.js";

const HINTS = {
  draw: "Tap an empty place for a node. Drag from node to node, or choose two, for an edge.",
  hyper: "Tap an empty place for a node. Choose several, then “Join chosen”, for a hyperedge.",
  items: "Tap an empty place for a node; choose one to set its numbers. There are no edges here.",
  move: "Drag a node to another place.",
  delete: "Tap a node or an edge to remove it.",
};

const LOCKED = "correct the text first, or undo it";

export class Panel {
  /**
   * problems: those of GET /v1/problems; said(text) tells a screen reader; changed() is called when
   * another problem is stated than before.
   */
  constructor(problems, said, changed) {
    this.problems = problems;
    this.said = said;
    this.changed = changed;
    this.values = {};
    this.mistakes = new Map(); // of attributes
    this.unread = null; // why the text cannot be read; the drawing is then of an earlier text
    this.seen = ""; // the text that the graph is of
    this.loaded = null; // the problem and the values that the graph in the editor belongs to
    this.editor = new Editor($("editor"), {
      changed: () => this.#graphChanged(),
      chosen: (key) => this.#inspect(key),
      said,
      context: () => this.loaded && { ...this.loaded, values: structuredClone(this.loaded.values) },
      restore: (context) => this.#restore(context),
      unlock: () => this.#dropText(),
    });
    $("primitive").replaceChildren(
      ...problems.map(({ primitive }) => el("option", { value: primitive }, words(primitive))),
    );
    $("primitive").addEventListener("change", () => this.pick($("primitive").value));
    $("example").addEventListener("change", () => this.#example($("example").value));
    $("edges").addEventListener("input", () => this.#read());
    $("tools").addEventListener("change", (event) => this.#useTool(event.target.value));
    $("undo").addEventListener("click", () => this.editor.undo());
    $("clear").addEventListener("click", () => this.#take(emptyGraph(), this.values));
    $("arrange").addEventListener("click", () => this.editor.edit(arrange));
    // a browser that comes back to the page may have kept another tool than the first
    this.editor.tool = document.querySelector("input[name=tool]:checked").value;
    $("join").addEventListener("click", () => this.editor.joinChosen());
  }

  get graph() {
    return this.editor.graph;
  }

  /** What a request states: primitive, graph, attributes. Raises Refusal where a text is unread. */
  get request() {
    if ($("edges").value !== this.seen) this.#read();
    if (this.unread !== null) {
      $("edges").focus();
      throw new Refusal(null, { message: "The graph as text cannot be read", hint: this.unread });
    }
    for (const [name, { message }] of this.mistakes) {
      $(`attribute-${name}`)?.focus();
      throw new Refusal(null, { message: `“${words(name)}” cannot be read`, hint: message });
    }
    return this.#stated();
  }

  /** The same as one text, for comparing; with what cannot be read. */
  get statement() {
    return JSON.stringify([this.#stated(), this.unread !== null, [...this.mistakes]]);
  }

  /** The graph as it is shared. */
  get text() {
    return formatGraph(this.graph, this.shape);
  }

  #stated() {
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

  /**
   * Take another problem: its graph stays where it makes sense there, else comes from the example.
   * Raises Error where a text or attributes are given that cannot be read; all is then as before.
   */
  pick(primitive, { text = null, attributes = null } = {}) {
    const problem = this.problems.find((one) => one.primitive === primitive);
    if (!problem) throw new Error(`there is no problem “${primitive}” here`);
    const given = text === null ? null : arrange(parseGraph(text, shapeOf(problem)));
    if (given && attributes) checkAttributes(problem, given, attributes);
    const before = this.shape;
    this.#show(problem);
    const kept = before && fits(before, this.shape) && this.graph.nodes.length > 0;
    if (given) {
      this.#take(given, attributes);
    } else if (before && this.unread !== null) {
      // what is written stays, and is read as the new problem has it
      const written = $("edges").value;
      this.#take(kept ? this.graph : emptyGraph(), null);
      $("edges").value = written;
      this.#read();
    } else if (kept && !this.#isSpecial()) {
      for (const node of this.graph.nodes) {
        for (const name of this.shape.nodeValues) node.data[name] ??= 1;
      }
      const lost = before.edgeValue && !this.shape.edgeValue && this.graph.edges.some(({ value }) => value !== 1);
      this.#take(this.graph, null);
      if (lost) this.said(`the ${before.edgeValue} of the edges is left out: ${this.shape.name} has none`);
    } else {
      this.#example(before || !this.#plain() ? "own" : "house");
    }
    this.#useTool(this.editor.tool);
  }

  #show(problem) {
    this.problem = problem;
    this.shape = shapeOf(problem);
    $("primitive").value = problem.primitive;
    $("question").textContent = problem.summary;
    this.#texts();
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
    this.mistakes.clear();
    this.editor.load(structuredClone(graph), this.shape, { keep: this.loaded !== null });
    this.loaded = { problem: this.problem, values: this.values };
  }

  /** Undo brings back the problem and its values with the graph. */
  #restore(context) {
    if (context.problem !== this.problem) this.#show(context.problem);
    this.values = context.values;
    this.mistakes.clear();
    this.loaded = context;
    this.#useTool(this.editor.tool);
  }

  /** A text that cannot be read is the first to be undone. */
  #dropText() {
    this.#write();
    this.said("the text is that of the drawing again");
  }

  #texts() {
    const { shape } = this;
    const examples = Object.entries(shape.hyper || !shape.joins || shape.nodeValues.length ? {} : EXAMPLES);
    $("example").replaceChildren(
      el("option", { value: "" }, "Examples …"),
      el("option", { value: "own" }, "Example of this problem"),
      ...examples.map(([name, title]) => el("option", { value: name }, title)),
    );
    const arrow = shape.directed ? "->" : "-";
    const value = shape.edgeValue ? ":2" : "";
    const form = shape.clauses ? "{0,!1,2}:3 {1,3}" : shape.hyper ? "{0,1,2} {1,3}"
      : !shape.joins ? `0(${shape.nodeValues.join(",")}) 1(…)`
      : `0${arrow}1${value} 1${arrow}2${value}`;
    const meaning = shape.edgeValue ? ` (the number is the ${shape.edgeValue}; without any, each is 1)` : "";
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
    drawAttributes(this.problem, this.graph, this.values, this.mistakes, () => {
      this.#drawMarks();
      this.changed();
    });
    if (!this.reading) this.#write();
    this.#allowUndo();
    this.changed();
  }

  #allowUndo() {
    $("undo").disabled = this.editor.past.length === 0 && this.unread === null;
  }

  #drawMarks() {
    this.editor.mark(marksOf(this.problem, this.values));
  }

  /** Make the text that of the drawing. */
  #write() {
    $("edges").value = this.text;
    this.seen = $("edges").value;
    this.#mistake(null);
  }

  /** Make the drawing that of the text, where it can be read. */
  #read() {
    this.seen = $("edges").value;
    let graph;
    try {
      graph = parseGraph(this.seen, this.shape);
    } catch (error) {
      this.#mistake(error.message);
      return;
    }
    this.#mistake(null);
    const places = graph.nodes.map((node) => nodeOf(this.graph, node.id));
    if (places.every(Boolean)) graph.nodes.forEach((node, i) => Object.assign(node, { x: places[i].x, y: places[i].y }));
    else arrange(graph);
    this.reading = true; // the text stays as it is written
    try {
      this.editor.load(graph, this.shape);
    } finally {
      this.reading = false;
    }
  }

  #mistake(message) {
    this.unread = message;
    this.editor.lock(message === null ? null : LOCKED);
    $("edges-mistake").hidden = message === null;
    $("edges-mistake").textContent = message === null ? "" : `Not sent as it is: ${message}`;
    if (message === null) $("edges").removeAttribute("aria-invalid");
    else $("edges").setAttribute("aria-invalid", "true");
    this.#allowUndo();
    this.changed();
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
    const input = el("input", { id, type: "number", step: "any", inputmode: "decimal" });
    input.value = value;
    input.addEventListener("change", () => {
      const given = input.valueAsNumber;
      if (Number.isFinite(given)) this.editor.edit(() => set(given));
      else {
        input.value = value; // nothing was set: what stands there is what is asked about
        this.said(`${name}: write a number`);
      }
      $(id)?.focus();
    });
    return el("span", { class: "field inline" }, el("label", { for: id }, name), input);
  }
}
