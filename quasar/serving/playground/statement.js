// What is asked, whatever its task: a graph problem of the graph panel or an instance of the task panel.

import { $, el, words } from "./dom.js";
import { Panel } from "./panel.js";
import { TaskPanel } from "./task_panel.js";

const GRAPHS = "ising"; // the name of the graph problems among the tasks

export class Statement {
  /**
   * problems: of GET /v1/problems; tasks: of GET /v1/tasks; said(text) tells a screen reader;
   * changed() is called when something else is stated than before, another task among it.
   */
  constructor(problems, tasks, said, changed) {
    this.task = GRAPHS;
    this.changed = changed;
    this.graphs = new Panel(problems, said, () => this.isGraph && changed());
    this.others = new TaskPanel(tasks, () => this.isGraph || changed());
    this.names = [[GRAPHS, "graph problem"], ...tasks.map(({ task }) => [task, words(task)])];
    $("task").replaceChildren(...this.names.map(([value, text]) => el("option", { value }, text)));
    $("task").addEventListener("change", () => this.pick($("task").value));
    const first = problems.find(({ primitive }) => primitive === "vertex_cover") ?? problems[0];
    this.first = first.primitive;
  }

  /** The family of an instance, null of a graph problem. */
  get family() {
    return this.isGraph ? null : this.others.family;
  }

  /** Say of each task in the list whether a model may be asked about it. */
  mark(isAsked) {
    for (const [i, [name, text]] of this.names.entries()) {
      $("task").options[i].text = isAsked(name) ? text : `${text} (to verify only)`;
    }
  }

  get isGraph() {
    return this.task === GRAPHS;
  }

  /** Whether answers have angles that the tool optimise makes better. */
  get isTunable() {
    return this.isGraph || this.others.tasks.find(({ task }) => task === this.task).tunable;
  }

  /** Take another task. Raises Error where there is no such one. */
  pick(task, family = null, texts = null) {
    if (task !== GRAPHS) this.others.pick(task, family, texts);
    this.#show(task);
    if (this.isGraph && !this.graphs.problem) this.graphs.pick(this.first);
    this.changed();
  }

  #show(task) {
    this.task = task;
    $("task").value = task;
    $("graph-part").hidden = !this.isGraph;
    $("task-part").hidden = this.isGraph;
    $("ansatz-part").hidden = !this.isGraph;
    $("optimise-part").hidden = !this.isTunable;
    for (const part of document.querySelectorAll("[data-of]")) part.hidden = (part.dataset.of === "graph") !== this.isGraph;
  }

  /** The part of a request that says what is asked. Raises Refusal where something is not read. */
  get request() {
    return this.isGraph ? { problem: this.graphs.request } : { row: this.others.row };
  }

  /** What is stated as one text, for comparing; with what cannot be read. */
  get text() {
    return this.isGraph ? this.graphs.statement : this.others.statement;
  }

  /** All that an answer is shown with, as it is now. Raises as `request`. */
  asked() {
    const stated = this.request;
    return this.isGraph ? { ...this.graphs.asked(), stated } : { task: this.others.task, stated };
  }

  /** What a link holds. Raises as `request`. */
  get state() {
    if (!this.isGraph) return this.others.row && this.others.state;
    const { primitive, attributes } = this.graphs.request;
    return { primitive, graph: this.graphs.text, attributes };
  }

  /** Take what a link holds; all is as before where Error is raised. */
  restore(state) {
    const { primitive, graph, attributes = null, task = GRAPHS, family, fields, ...others } = state;
    const [other] = Object.keys(others);
    if (other !== undefined) throw new Error(`“${other}” is not used here`);
    if (task !== GRAPHS) {
      if (typeof family !== "string" || !fields || typeof fields !== "object") throw new Error("a task has family and fields");
      this.pick(task, family, fields);
      return;
    }
    if (typeof graph !== "string") throw new Error("graph is a text");
    this.graphs.pick(primitive, { text: graph, attributes });
    this.#show(GRAPHS);
  }
}
