// The graph editor: pointer, touch and keys on an <svg>, with a way back.

import { $, svg } from "./dom.js";
import { RADIUS, drawGraph } from "./drawing.js";
import { HEIGHT, MAX_NODES, WIDTH, emptyGraph, hyperjoined, joined, without } from "./graph.js";

const DRAG = 5; // units of the field; less is a click
const STEP = 12;
const MAX_UNDO = 60;

export class Editor {
  /**
   * `changed(graph)` is called after each change, `chosen(key)` when another element is chosen;
   * `context()` gives what belongs to the graph and comes back with it, by `restore(context)`; for
   * `unlock()` see `lock`.
   */
  constructor(root, { changed, chosen, said, context, restore, unlock }) {
    Object.assign(this, { root, changed, told: chosen, said, context, restore, unlock });
    this.graph = emptyGraph();
    this.shape = { hyper: false, clauses: false, directed: false, joins: true, edgeValue: null, nodeValues: [] };
    this.marks = new Map();
    this.tool = "draw";
    this.chosen = new Set();
    this.focus = null;
    this.past = [];
    this.locked = null; // why nothing can be drawn
    this.drag = null;
    root.addEventListener("pointerdown", (event) => this.#down(event));
    root.addEventListener("pointermove", (event) => this.#moved(event));
    root.addEventListener("pointerup", (event) => this.#up(event));
    root.addEventListener("pointercancel", () => this.#drop());
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener("focusin", (event) => this.#focused(event));
  }

  /** Another graph in the place of this one; undo brings the old one back where `keep` is true. */
  load(graph, shape, { keep = true } = {}) {
    if (keep) this.#remember();
    else this.past = [];
    this.shape = shape;
    this.graph = graph;
    this.#choose(null);
    this.#finish();
  }

  /** Change the graph as one step. */
  edit(change) {
    if (this.locked) return this.said(this.locked);
    this.#remember();
    change(this.graph);
    this.#finish();
  }

  /** While `why` is not null nothing is drawn, and undo calls `unlock()`. */
  lock(why) {
    this.locked = why;
    this.root.toggleAttribute("data-locked", why !== null);
    if (why !== null) this.#choose(null);
  }

  undo() {
    if (this.locked) return this.unlock();
    const before = this.past.pop();
    if (!before) return this.said("nothing to undo");
    this.drag = null;
    [this.graph, this.shape] = before;
    this.restore(before[2]);
    this.#choose(null);
    this.#finish();
    this.said("undone");
  }

  /** Labels below nodes, e.g. source and sink: id → text. */
  mark(marks) {
    this.marks = marks;
    this.draw();
  }

  /** What a key stands for: {node}, {edge} or {hyperedge}, with its index. */
  at(key) {
    const [kind, rest] = [key?.[0], key?.slice(2)];
    const index = Number(rest);
    if (kind === "n") return { node: this.graph.nodes.find((node) => String(node.id) === rest) };
    if (kind === "e") return { edge: this.graph.edges[index], index };
    if (kind === "h") return { hyperedge: this.graph.hyperedges[index], index };
    return {};
  }

  add(x, y, joinedTo = null) {
    if (this.locked) return this.said(this.locked);
    if (this.graph.nodes.length >= MAX_NODES) {
      return this.said(`this page draws at most ${MAX_NODES} nodes`);
    }
    const numbers = this.graph.nodes.map((node) => node.id).filter(Number.isInteger);
    const id = numbers.length ? Math.max(...numbers) + 1 : 0;
    const data = Object.fromEntries(this.shape.nodeValues.map((name) => [name, 1]));
    this.edit((graph) => {
      graph.nodes.push({ id, data, ...inField(x, y) });
      if (joinedTo !== null) this.#connect(joinedTo, id);
    });
    this.focus = `n:${id}`;
    this.said(`node ${id} added`);
    this.draw();
    return `n:${id}`;
  }

  /** A node at a free place: the corner of a grid that is farthest from all nodes. */
  addAnywhere() {
    let best = { distance: -1 };
    for (let x = 50; x <= WIDTH - 50; x += 25) {
      for (let y = 50; y <= HEIGHT - 50; y += 25) {
        const distances = this.graph.nodes.map((node) => Math.hypot(node.x - x, node.y - y));
        const distance = Math.min(...distances, Math.hypot(x - WIDTH / 2, y - HEIGHT / 2) + 90);
        if (distance > best.distance) best = { distance, x, y };
      }
    }
    return this.add(best.x, best.y);
  }

  remove(key) {
    const { node, edge, hyperedge, index } = this.at(key);
    if (!node && !edge && !hyperedge) return;
    if (this.locked) return this.said(this.locked);
    this.#choose(null);
    this.edit((graph) => {
      if (edge) graph.edges.splice(index, 1);
      if (hyperedge) graph.hyperedges.splice(index, 1);
      if (!node) return;
      graph.nodes = graph.nodes.filter((other) => other !== node);
      graph.edges = graph.edges.filter(({ u, v }) => u !== node.id && v !== node.id);
      graph.hyperedges = graph.hyperedges
        .map((ids) => without(ids, node.id))
        .filter((ids) => ids.length > 0);
    });
    this.said(`${node ? `node ${node.id}` : "edge"} removed`);
  }

  /** Join the chosen nodes by one hyperedge. */
  joinChosen() {
    const ids = [...this.chosen].filter((key) => key[0] === "n").map((key) => this.at(key).node.id);
    if (this.locked) return this.said(this.locked);
    if (ids.length < 2) return this.said("choose two nodes or more first");
    if (hyperjoined(this.graph, ids)) return this.said(`nodes ${ids.join(", ")} are joined already`);
    this.edit((graph) => graph.hyperedges.push(ids));
    this.#choose(null);
    this.said(`nodes ${ids.join(", ")} joined`);
  }

  draw() {
    const hadFocus = this.root.contains(document.activeElement);
    const keys = this.#keys();
    if (!keys.includes(this.focus)) this.focus = keys[0] ?? null;
    this.root.setAttribute("tabindex", keys.length ? "-1" : "0");
    drawGraph(this.root, this.graph, this.shape, {
      node: (id) => ({
        class: this.chosen.has(`n:${id}`) ? "picked" : "",
        mark: this.marks.get(id),
      }),
      edge: (edge) => ({
        class: this.chosen.has(`e:${this.graph.edges.indexOf(edge)}`) ? "picked" : "",
      }),
      hyperedge: (index) => ({ class: this.chosen.has(`h:${index}`) ? "picked" : "" }),
      focus: this.focus,
      chosen: this.chosen,
      label: (key) => this.name(key),
    });
    if (this.drag?.line) this.root.prepend(this.drag.line);
    if (hadFocus) this.#focusOn(this.focus);
  }

  name(key) {
    const { node, edge, hyperedge } = this.at(key);
    if (edge) {
      const value = this.shape.edgeValue ? `, ${this.shape.edgeValue} ${edge.value}` : "";
      return `edge ${edge.u} ${this.shape.directed ? "to" : "–"} ${edge.v}${value}`;
    }
    if (hyperedge) return `hyperedge ${hyperedge.join(", ")}`;
    const others = this.graph.edges
      .filter(({ u, v }) => u === node.id || v === node.id)
      .map(({ u, v }) => (u === node.id ? v : u));
    const mark = this.marks.has(node.id) ? ` ${this.marks.get(node.id)}` : "";
    const values = this.shape.nodeValues.map((name) => `, ${name} ${node.data[name]}`).join("");
    return `node ${node.id}${mark}${values}, ${others.length ? `joined with ${others.join(", ")}` : "not joined"}`;
  }

  #keys() {
    return [
      ...this.graph.nodes.map((node) => `n:${node.id}`),
      ...this.graph.edges.map((_, i) => `e:${i}`),
      ...this.graph.hyperedges.map((_, i) => `h:${i}`),
    ];
  }

  #remember() {
    this.past.push([structuredClone(this.graph), this.shape, this.context()]);
    if (this.past.length > MAX_UNDO) this.past.shift();
  }

  #finish() {
    this.draw();
    this.changed(this.graph);
    if (this.chosen.size === 1) this.told([...this.chosen][0]);
  }

  #choose(key) {
    this.chosen = new Set(key ? [key] : []);
    this.told(key);
  }

  /** Choose an element; a second node is joined with the first, in a hypergraph chosen as well. */
  #pick(key) {
    if (this.locked) return this.said(this.locked);
    const { node } = this.at(key);
    const [first] = this.chosen;
    const from = first?.[0] === "n" ? this.at(first).node : null;
    if (this.chosen.has(key)) {
      this.chosen.delete(key);
      this.told([...this.chosen][0] ?? null);
    } else if (node && from && this.shape.hyper) {
      this.chosen.add(key);
      this.told(key);
    } else if (node && from && this.shape.joins) {
      this.#choose(null);
      this.#join(from.id, node.id);
      return;
    } else {
      this.#choose(key);
    }
    this.draw();
  }

  #join(u, v) {
    if (!this.shape.joins) return this.said("this problem has no edges");
    const { graph, shape } = this;
    if (shape.hyper ? hyperjoined(graph, [u, v]) : joined(graph, u, v, shape)) {
      this.draw();
      return this.said(`${u} and ${v} are joined already`);
    }
    this.edit(() => this.#connect(u, v));
    this.said(`edge ${u} ${this.shape.directed ? "to" : "–"} ${v} added`);
  }

  #connect(u, v) {
    if (this.shape.hyper) this.graph.hyperedges.push([u, v]);
    else if (this.shape.joins) this.graph.edges.push({ u, v, value: 1 });
  }

  // ---- pointer ----------------------------------------------------------------------------------

  #place(event) {
    const box = this.root.getBoundingClientRect();
    // the field is centred in the element where their proportions differ
    const scale = Math.min(box.width / WIDTH, box.height / HEIGHT);
    return {
      x: (event.clientX - box.left - (box.width - WIDTH * scale) / 2) / scale,
      y: (event.clientY - box.top - (box.height - HEIGHT * scale) / 2) / scale,
    };
  }

  #down(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    if (this.locked) return this.said(this.locked);
    const key = event.target.closest("[data-key]")?.dataset.key ?? null;
    const at = this.#place(event);
    this.drag = { key, start: at, at, moved: false, before: structuredClone(this.graph) };
    this.root.setPointerCapture(event.pointerId);
    if (key) this.focus = key;
    this.#focusOn(key);
  }

  #moved(event) {
    if (!this.drag) return;
    const { drag } = this;
    drag.at = this.#place(event);
    drag.moved ||= Math.hypot(drag.at.x - drag.start.x, drag.at.y - drag.start.y) > DRAG;
    const { node } = this.at(drag.key);
    if (!drag.moved || !node) return;
    if (this.tool === "move") {
      Object.assign(node, inField(drag.at.x, drag.at.y));
    } else if (this.tool === "draw" && this.shape.joins) {
      const ends = { x1: node.x, y1: node.y, x2: drag.at.x, y2: drag.at.y };
      drag.line = svg("line", { class: "rubber", ...ends });
    }
    this.draw();
  }

  #up() {
    const { drag } = this;
    if (!drag) return;
    this.drag = null;
    const { node } = this.at(drag.key);
    if (this.tool === "delete") return this.remove(drag.key);
    if (this.tool === "move") {
      if (!drag.moved || !node) return drag.key && this.#pick(drag.key);
      this.past.push([drag.before, this.shape, this.context()]);
      return this.#finish();
    }
    if (!drag.moved) return drag.key ? this.#pick(drag.key) : this.add(drag.at.x, drag.at.y);
    if (!node) return this.draw();
    const over = this.graph.nodes.find(
      ({ x, y }) => Math.hypot(x - drag.at.x, y - drag.at.y) < RADIUS + 9,
    );
    this.#choose(null);
    if (!over && this.shape.joins) this.add(drag.at.x, drag.at.y, node.id);
    else if (over && over !== node) this.#join(node.id, over.id);
    else this.draw();
  }

  #drop() {
    this.drag = null;
    this.draw();
  }

  // ---- keys -------------------------------------------------------------------------------------

  #focusOn(key) {
    const found = [...this.root.children].find((child) => child.dataset.key === key);
    (found ?? this.root).focus({ preventScroll: true });
  }

  #focused(event) {
    const key = event.target.dataset?.key;
    if (!key || key === this.focus) return;
    this.focus = key;
    for (const child of this.root.children) {
      if (child.dataset.key) child.setAttribute("tabindex", child.dataset.key === key ? "0" : "-1");
    }
  }

  #key(event) {
    const { key } = event;
    if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "z") {
      event.preventDefault();
      return this.undo();
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const actions = {
      n: () => this.addAnywhere(),
      j: () => this.shape.hyper && this.joinChosen(),
      Delete: () => this.remove(this.focus),
      Backspace: () => this.remove(this.focus),
      Enter: () => this.focus && this.#pick(this.focus),
      " ": () => this.focus && this.#pick(this.focus),
      Escape: () => {
        this.#choose(null);
        this.draw();
      },
      e: () => {
        this.#choose(this.focus);
        this.draw();
        $("inspector").querySelector("input")?.focus();
      },
    };
    if (arrows[key]) {
      if (event.shiftKey) this.#nudge(...arrows[key]);
      else this.#step(arrows[key][0] + arrows[key][1]);
    } else if (actions[key.length === 1 ? key.toLowerCase() : key]) {
      actions[key.length === 1 ? key.toLowerCase() : key]();
    } else {
      return;
    }
    event.preventDefault();
  }

  #step(by) {
    const keys = this.#keys();
    if (!keys.length) return;
    this.#focusOn(keys[(keys.indexOf(this.focus) + by + keys.length) % keys.length]);
  }

  #nudge(dx, dy) {
    const { node } = this.at(this.focus);
    if (!node) return;
    this.edit(() => Object.assign(node, inField(node.x + STEP * dx, node.y + STEP * dy)));
  }
}

const inField = (x, y) => ({
  x: Math.min(WIDTH - 24, Math.max(24, x)),
  y: Math.min(HEIGHT - 24, Math.max(24, y)),
});
