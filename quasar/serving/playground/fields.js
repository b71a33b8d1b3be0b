// The fields of a task's instance: how each kind is entered, read and written, by the kinds that
// GET /v1/tasks names.

import { el, words } from "./dom.js";
import {
  fullVector, kets, lines, readAmplitudes, readNumber, readPauliStrings, readPauliSum, readWhole, tokens,
  writeAmplitudes, writePauliSum,
} from "./quantities.js";

/** A field's name as people say it. */
export const label = (name) => words(name.split(".").at(-1)).replace(/^n /, "");

const only = (value) => ({ value });
const AMPLITUDES = "A line each: basis state (qubit 0 first), magnitude, phase: 01 1/sqrt(2) 90° or 01 0.7071 pi/2.";

/** Pairs [a, b] of lines or commas, each split by `by`. */
function pairs(text, pieces, by, what) {
  return pieces.map((piece) => {
    const both = piece.split(by).filter(Boolean);
    if (both.length !== 2) throw new Error(`cannot read “${piece}”; write ${what}`);
    return both;
  });
}

function readKets(text, { choices }) {
  const names = tokens(text.replace(/\|\s*([^>⟩|]*?)\s*[>⟩]/g, " $1 ").replaceAll("−", "-"));
  for (const name of names) {
    if (!choices.includes(name)) throw new Error(`“${name}” is none of ${choices.join(", ")}`);
  }
  if (!names.length) throw new Error("there is no ket yet");
  return only(names);
}

function realVector(text) {
  return only(fullVector(readAmplitudes(text)).map(([re, im]) => {
    if (Math.abs(im) > 1e-9) throw new Error("the amplitudes of this family are real: phases are 0 or 180°");
    return re;
  }));
}

const vectorText = (values) => {
  const names = kets(Math.log2(values.length));
  return writeAmplitudes(values.map((value, i) => [names[i], [value].flat().concat(0).slice(0, 2)]));
};

/**
 * By kind: rows of the text area (0: one line, null: a choice), what to write, write(value) → text,
 * read(text, field) → {value, numQubits?, amplitudes?}; read raises Error.
 */
const KINDS = {
  integer: { rows: 0, write: String, read: (text) => only(readWhole(text)) },
  number: { rows: 0, write: String, read: (text) => only(readNumber(text)) },
  numbers: {
    rows: 0,
    hint: "One number for all, or one each.",
    write: (value) => [value].flat().join(", "),
    read(text) {
      const found = tokens(text).map(readNumber);
      if (!found.length) throw new Error("write a number");
      return only(found.length === 1 ? found[0] : found);
    },
  },
  choice: {
    rows: null,
    write: String,
    read: (text, { choices }) => only(choices.find((choice) => String(choice) === text)),
  },
  kets: { rows: 0, hint: "One a qubit, qubit 0 first: |0>|+>|-i>.", write: (value) => value.map((name) => `|${name}>`).join(""), read: readKets },
  angles: {
    rows: 3,
    hint: "A line a qubit: a b, in radians.",
    write: (value) => value.map((pair) => pair.join(" ")).join("\n"),
    read: (text) => only(pairs(text, lines(text), /[\s,]+/, "a line a qubit: 1.2 0.5").map((pair) => pair.map(readNumber))),
  },
  edges: {
    rows: 2,
    hint: "Write 0-1 1-2.",
    write: (value) => value.map((edge) => edge.join("-")).join(" "),
    read: (text) => only(pairs(text, tokens(text), /[-–]/, "0-1 1-2").map((pair) => pair.map(readWhole))),
  },
  amplitudes: {
    rows: 4,
    hint: AMPLITUDES,
    write: (value) => writeAmplitudes(Object.entries(value)),
    read(text) {
      const amplitudes = readAmplitudes(text);
      return { value: Object.fromEntries(amplitudes), amplitudes };
    },
  },
  real_vector: { rows: 4, hint: `${AMPLITUDES} Those left out are 0.`, write: vectorText, read: realVector },
  vector: { rows: 4, hint: `${AMPLITUDES} Those left out are 0.`, write: vectorText, read: (text) => only(fullVector(readAmplitudes(text))) },
  pauli_sum: {
    rows: 4,
    hint: "A term a line: a letter a qubit as in -1.0 ZZI, or by number as in 0.5 X0 X1.",
    write: writePauliSum,
    read: readPauliSum,
  },
  pauli_strings: {
    rows: 3,
    hint: "A string a line, qubit 0 first: +XZI.",
    write: (value) => value.join("\n"),
    read: (text) => only(readPauliStrings(text)),
  },
  json: {
    rows: 4,
    hint: "JSON, as in a problem file.",
    write: (value) => JSON.stringify(value, null, 1),
    read(text) {
      try {
        return only(JSON.parse(text));
      } catch (error) {
        throw new Error(`not JSON: ${error.message}`, { cause: error });
      }
    },
  },
};

export const writeField = (field, value) => (value === undefined ? "" : KINDS[field.kind].write(value));

/** {value, …} of what is written; value is undefined for an empty field that may be. Raises Error. */
export function readField(field, text) {
  return field.optional && !text.trim() ? only(undefined) : KINDS[field.kind].read(text, field);
}

/** The field as a person sees it; `changed(text)` is called as it is written. */
export function drawField(name, field, text, changed) {
  const { rows, hint } = KINDS[field.kind];
  const id = `field-${name.replace(".", "-")}`;
  const described = `${id}-hint ${id}-mistake`;
  let control;
  if (rows === null) {
    control = el("select", { id }, field.choices.map((choice) => el("option", { value: String(choice) }, String(choice))));
  } else {
    const typed = { id, spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-describedby": described };
    control = rows ? el("textarea", { ...typed, rows }) : el("input", { ...typed, type: "text" });
  }
  control.value = text;
  control.addEventListener("input", () => changed(control.value));
  return el("div", { class: rows ? "field wide" : "field" },
    el("label", { for: id }, label(name) + (field.optional ? " (may be empty)" : "")), control,
    hint && el("p", { class: "hint", id: `${id}-hint` }, hint),
    el("p", { class: "mistake", id: `${id}-mistake`, role: "alert", hidden: true }));
}

/** Show or take away what is wrong with a field. */
export function markField(name, message) {
  const id = `field-${name.replace(".", "-")}`;
  const [control, note] = [document.getElementById(id), document.getElementById(`${id}-mistake`)];
  note.hidden = message === null;
  note.textContent = message === null ? "" : `Not sent as it is: ${message}`;
  if (message === null) control.removeAttribute("aria-invalid");
  else control.setAttribute("aria-invalid", "true");
}
