// What the page says of its work: the line of its state, and what went wrong.

import { Refusal } from "./client.js";
import { $, words } from "./dom.js";

export const say = (text) => ($("status").textContent = text);
export const said = (text) => {
  $("status-part").hidden = false;
  say(text);
};

/** A message as a sentence; a problem's name at its beginning as people write it. */
export function sentence(text) {
  const plain = text.replace(/^[a-z]+(?:_[a-z]+)+(?=:)/, words);
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

export function showProblem(error) {
  const known = error instanceof Refusal;
  if (!known) console.error(error);
  $("problem-part").hidden = false;
  $("problem-line").hidden = true;
  $("verify-instead").hidden = true;
  $("problem-title").textContent = sentence(known ? error.message : `this page failed: ${error.message}`);
  $("problem-hint").textContent = known ? sentence(error.hint) : "Reload the page, and report this if it stays.";
  if (!$("status-part").hidden) say(error.status === null ? "Not sent." : known && error.status !== 200 ? "Refused." : $("status").textContent);
}

export function showInvalid({ kind, message, line, column }, circuit) {
  showProblem(new Refusal(200, { message: `Not valid (${words(kind)})`, hint: message }));
  if (!line) return;
  const text = circuit.split("\n")[line - 1] ?? "";
  $("problem-line").hidden = false;
  $("problem-line").textContent = `${line} | ${text}` + (column ? `\n${" ".repeat(String(line).length + 2 + column)}^` : "");
}
