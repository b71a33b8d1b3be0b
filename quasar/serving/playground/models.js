// The models that the endpoint serves: which of them knows a task, and what it was trained on.

import { plural, words } from "./dom.js";

const VERIFIED = ":verified"; // how each is listed once more, for OpenAI's clients

export class Models {
  /** listed: of GET /v1/models, in the order in which the endpoint picks among them. */
  constructor(listed) {
    this.all = listed.filter(({ id }) => id !== null && !id.endsWith(VERIFIED));
    [this.limits] = listed; // there also where the endpoint only verifies
  }

  get several() {
    return this.all.length > 1;
  }

  get title() {
    if (!this.all.length) return "verifies circuits; no model here";
    return `${this.several ? "models" : "model"} ${this.all.map(({ id }) => id).join(", ")}`;
  }

  /** Those that were trained on the task, the one first that answers where none is named. */
  knowing(task) {
    return this.all.filter(({ trained }) => trained.tasks.includes(task));
  }

  /** Whether one of them may be asked about the task; true where there is none to ask. */
  know(task) {
    return !this.all.length || this.knowing(task).length > 0;
  }

  /** In a sentence, what the model that answers was trained on; family: of a task's instance. */
  told(model, { task, isGraph, family }) {
    if (!this.all.length) return "";
    if (!this.know(task)) return this.#unknown();
    const known = isGraph ? graphs(model.trained) : ofTask(model.trained, task, family);
    return this.several ? `${model.id} answers: ${known}.` : `${known.charAt(0).toUpperCase()}${known.slice(1)}.`;
  }

  #unknown() {
    if (this.several) return "No model here was trained on this task: verify a circuit of your own.";
    const tasks = this.all[0].trained.tasks.map(taskName).join(", ");
    return `The model was not trained on this task (it was on ${tasks}): verify a circuit of your own.`;
  }
}

const taskName = (name) => (name === "ising" ? "graph problems" : words(name));

function graphs({ primitives, min_qubits: least, max_qubits: most, ansatze, layers }) {
  const names = ansatze.map((name) => name.replaceAll("_", " ")).join(", ");
  const depth = layers.length > 1 ? `${layers[0]}–${layers.at(-1)} layers` : plural(layers[0], "layer");
  return `trained on ${plural(primitives.length, "problem")} of ${least}–${most} qubits; ${names}; ${depth}`;
}

function ofTask({ instances }, task, family) {
  const ranges = instances[task].filter((range) => range.family === null || range.family === family);
  if (!ranges.length) return `trained on this task, not on “${words(family)}”`;
  const sizes = ranges.map(({ min_qubits: least, max_qubits: most }) => (least === most ? `${least}` : `${least}–${most}`));
  return `trained on “${words(family)}” of ${sizes.join(", ")} qubits`;
}
