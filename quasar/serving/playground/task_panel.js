// An instance of a task other than graph problems as it is being stated: family, qubits, fields.

import { amplitudeTable } from "./amplitudes.js";
import { Refusal } from "./client.js";
import { $, el, words } from "./dom.js";
import { drawField, label, markField, readField, writeField } from "./fields.js";

const FIRST = new Set(["heisenberg_chain", "ghz", "repetition"]); // families to begin with
const WHOLE = { instance: { kind: "json", choices: [], optional: false } }; // of a family without fields of its own

const isQubits = (name) => name === "n_qubits";

export class TaskPanel {
  /** tasks: those of GET /v1/tasks; changed() is called when something else is stated than before. */
  constructor(tasks, changed) {
    this.tasks = tasks;
    this.changed = changed;
    this.written = new Map(); // texts by "task/family", as they were left
    $("family").addEventListener("change", () => this.pick(this.task.task, $("family").value));
  }

  /** Take another task or family, with the texts of a link or as they were left. Raises Error. */
  pick(name, family = null, texts = null) {
    const task = this.tasks.find((one) => one.task === name);
    if (!task) throw new Error(`there is no task “${name}” here`);
    const names = Object.keys(task.forms);
    const chosen = family ?? this.families?.get(name) ?? names.find((one) => FIRST.has(one)) ?? names[0];
    const form = task.forms[chosen];
    if (!form) throw new Error(`${words(name)} has no family “${chosen}”`);
    const fields = fieldsOf(form);
    if (texts) checkTexts(texts, fields, chosen);
    Object.assign(this, { task, family: chosen, form, fields });
    this.families = (this.families ?? new Map()).set(name, chosen);
    const key = `${name}/${chosen}`;
    if (texts) this.written.set(key, { ...texts });
    else if (!this.written.has(key)) this.written.set(key, exampleTexts(form, fields));
    this.texts = this.written.get(key);
    $("family").replaceChildren(...names.map((one) => el("option", { value: one }, words(one))));
    $("family").value = chosen;
    $("family-summary").textContent = task.families[chosen];
    this.#draw();
  }

  #draw() {
    $("task-fields").replaceChildren(...Object.entries(this.fields).map(([name, field]) =>
      drawField(name, field, this.texts[name], (text) => {
        this.texts[name] = text;
        this.#read();
        this.changed();
      })));
    $("task-fields").hidden = !$("task-fields").firstChild;
    this.#read();
    this.changed();
  }

  /** Read every field; marks what cannot be read and shows amplitudes as they were understood. */
  #read() {
    this.mistakes = new Map();
    this.values = new Map();
    for (const [name, field] of Object.entries(this.fields)) {
      let message = null;
      try {
        this.values.set(name, readField(field, this.texts[name]));
      } catch (error) {
        ({ message } = error);
        this.mistakes.set(name, message);
      }
      markField(name, message);
    }
    const given = [...this.values.values()].find((found) => found.amplitudes)?.amplitudes;
    $("understood").hidden = !given;
    $("understood").replaceChildren(...(given ? [amplitudeTable(given.map(([ket, target]) => ({ ket, target })))] : []));
  }

  /** The row of a request. Raises Refusal where something is not read. */
  get row() {
    for (const [name, message] of this.mistakes) {
      $(`field-${name.replace(".", "-")}`).focus();
      throw new Refusal(null, { message: `“${label(name)}” cannot be read`, hint: message });
    }
    return this.#stated();
  }

  /** The same as one text, for comparing; with what cannot be read. */
  get statement() {
    return JSON.stringify([this.task.task, this.family, this.texts]);
  }

  /** What a link holds. */
  get state() {
    return { task: this.task.task, family: this.family, fields: this.texts };
  }

  #stated() {
    const row = { task: this.task.task, family: this.family };
    const instance = {};
    for (const [name, { value, numQubits = null }] of this.values) {
      if (numQubits !== null) row.n_qubits = numQubits;
      if (isQubits(name)) row.n_qubits = value;
      else if (name === "instance" && this.form.fields === null) Object.assign(instance, value);
      else if (value !== undefined) put(instance, name.split("."), value);
    }
    return { ...row, instance };
  }
}

/** The fields by name; the number of qubits is one where the instance does not say it. */
function fieldsOf(form) {
  const fields = { ...(form.fields ?? WHOLE) };
  if (!("n_qubits" in form.example)) return fields;
  return { n_qubits: { kind: "integer", choices: [], optional: false }, ...fields };
}

function exampleTexts(form, fields) {
  const { instance, n_qubits: size } = form.example;
  const value = (name) => {
    if (isQubits(name)) return size;
    return form.fields === null ? instance : name.split(".").reduce((found, part) => found?.[part], instance);
  };
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, writeField(field, value(name))]));
}

function checkTexts(texts, fields, family) {
  for (const [name, text] of Object.entries(texts)) {
    if (!(name in fields)) throw new Error(`${words(family)} has no field “${name}”`);
    if (typeof text !== "string") throw new Error(`“${name}” is no text`);
    const { kind, choices } = fields[name];
    if (kind === "choice" && !choices.some((choice) => String(choice) === text)) throw new Error(`${name} cannot be “${text}”`);
  }
  for (const name of Object.keys(fields)) {
    if (!(name in texts)) throw new Error(`the field “${name}” is missing`);
  }
}

function put(object, [name, ...rest], value) {
  if (rest.length) put((object[name] ??= {}), rest, value);
  else object[name] = value;
}
