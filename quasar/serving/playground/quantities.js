// Numbers, amplitudes and Pauli terms as people write them: text in, what the endpoint takes out, and
// the other way round. What cannot be read raises Error, which names it.

const PLAIN = /^(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;
const PLACES = 1e12; // digits that sine and cosine have for sure

const pieces = (text, by) => text.split(by).map((piece) => piece.trim()).filter(Boolean);
export const lines = (text) => pieces(text, /[\n;]/);
export const tokens = (text) => pieces(text, /[\s,;]+/);
const tidy = (value) => Math.round(value * PLACES) / PLACES;

function plain(text) {
  const value = PLAIN.test(text) ? Number(text) : NaN;
  if (!Number.isFinite(value)) throw new Error(`“${text}” is not a number`);
  return value;
}

function factor(text) {
  const root = /^(?:sqrt\((.+)\)|√\(?([^()]+)\)?)$/.exec(text);
  if (root) return Math.sqrt(readNumber(root[1] ?? root[2]));
  const turn = /^(.*?)\*?(?:pi|π)$/.exec(text);
  if (turn) return (turn[1] === "" ? 1 : plain(turn[1])) * Math.PI;
  return plain(text);
}

/** 0.5, -1e-3, 1/2, 1/sqrt(2), √(1/2), 3pi/4. */
export function readNumber(text) {
  const whole = text.trim().replaceAll("−", "-");
  const [, sign, size] = /^([-+]?)(.*)$/s.exec(whole);
  let depth = 0;
  const cut = [...size].findLastIndex((character) => {
    if (character === ")") depth++;
    if (character === "(") depth--;
    return character === "/" && depth === 0;
  });
  const value = cut < 0 ? factor(size) : readNumber(size.slice(0, cut)) / factor(size.slice(cut + 1));
  if (!Number.isFinite(value)) throw new Error(`“${text}” is not a number`);
  return sign === "-" ? -value : value;
}

/** An angle in radians: as `readNumber`, or in degrees with °. */
function readAngle(text) {
  if (!/(?:°|deg)$/.test(text)) return readNumber(text);
  return (readNumber(text.replace(/(?:°|deg)$/, "")) * Math.PI) / 180;
}

export function readWhole(text) {
  const value = Number(text);
  if (!/^\s*[-+]?\d+\s*$/.test(text) || !Number.isSafeInteger(value)) throw new Error("write a whole number");
  return value;
}

// ---- amplitudes ---------------------------------------------------------------------------------

/** Magnitude, and phase in degrees in (−180, 180]. */
export function polar([re, im]) {
  const size = Math.hypot(re, im);
  const turn = size < 1e-9 ? 0 : (Math.atan2(im, re) * 180) / Math.PI;
  return { size, degrees: turn <= -179.95 ? 180 : turn };
}

const short = (value, digits) => String(Number(value.toFixed(digits)));

/** [[ket, [re, im]], …] as lines, by ket. */
export function writeAmplitudes(entries) {
  return entries.toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([ket, value]) => {
    const { size, degrees } = polar(value);
    return `${ket} ${short(size, 6)}${Math.abs(degrees) < 5e-5 ? "" : ` ${short(degrees, 4)}°`}`;
  }).join("\n");
}

/** The same of lines: basis state, magnitude, and where it is not 0 the phase. */
export function readAmplitudes(text) {
  const found = new Map();
  for (const line of lines(text)) {
    const [ket, size, phase = "0", ...more] = line.replace(/^\|([01]+)[>⟩]/, "$1 ").split(/[\s,:]+/);
    if (!/^[01]+$/.test(ket) || size === undefined || more.length) {
      throw new Error(`cannot read “${line}”; write basis state, magnitude, phase: 01 0.7071 90°`);
    }
    const [first] = found.keys();
    if (first !== undefined && first.length !== ket.length) throw new Error(`“${ket}” has not as many qubits as “${first}”`);
    if (found.has(ket)) throw new Error(`“${ket}” is there twice`);
    const [value, angle] = [readNumber(size), readAngle(phase)];
    found.set(ket, [tidy(value * Math.cos(angle)), tidy(value * Math.sin(angle))]);
  }
  if (!found.size) throw new Error("there is no amplitude yet");
  return [...found];
}

/** The basis states of so many qubits in the order of their amplitudes; qubit 0 is the first bit. */
export const kets = (count) =>
  Array.from({ length: 2 ** count }, (_, i) => [...i.toString(2).padStart(count, "0")].reverse().join(""));

/** All 2**n amplitudes in order; those that are not written are 0. */
export function fullVector(entries) {
  const count = entries[0][0].length;
  if (count > 12) throw new Error(`${count} qubits are too many to give every amplitude of`);
  const given = new Map(entries);
  return kets(count).map((ket) => given.get(ket) ?? [0, 0]);
}

// ---- Pauli strings ------------------------------------------------------------------------------

const TERM = /^([-+−]?\s*(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*\*?\s*(.*)$/;

/** Terms, one a line or joined by +: {value: the text of the endpoint, numQubits: null where open}. */
export function readPauliSum(text) {
  let dense = null; // letters of a term that names every qubit
  let highest = 0;
  const terms = text.split(/\n|;|\s\+\s/).map((line) => line.trim()).filter(Boolean).map((line) => {
    const [, coefficient, word] = TERM.exec(line) ?? [];
    if (coefficient === undefined) throw new Error(`“${line}” has no coefficient; write -1.0 ZZ or 0.5 X0 X1`);
    const number = coefficient.replaceAll("−", "-").replace(/\s/g, "");
    if (word === "I") return `${number}*I`;
    if (/^[IXYZ]+$/.test(word)) {
      if (dense !== null && dense !== word.length) throw new Error(`“${word}” has ${word.length} letters, others have ${dense}`);
      dense = word.length;
      const factors = [...word].flatMap((letter, q) => (letter === "I" ? [] : [`${letter}${q}`]));
      return `${number}*${factors.join("*") || "I"}`;
    }
    if (!/^[XYZ]\d+(?:[\s*]+[XYZ]\d+)*$/.test(word)) throw new Error(`cannot read “${line}”; write -1.0 ZZ or 0.5 X0 X1`);
    const factors = word.split(/[\s*]+/);
    highest = Math.max(highest, ...factors.map((one) => Number(one.slice(1)) + 1));
    return `${number}*${factors.join("*")}`;
  });
  if (!terms.length) throw new Error("there is no term yet");
  if (dense !== null && highest > dense) throw new Error(`qubit ${highest - 1} is named, other terms have ${dense} letters`);
  return { value: terms.join(" + "), numQubits: dense };
}

/** The text of the endpoint, one term a line. */
export const writePauliSum = (text) => text.split(" + ").map((term) => term.replace("*", " ").replaceAll("*", " ")).join("\n");

export function readPauliStrings(text) {
  return tokens(text).map((word) => {
    const plainWord = word.replace("−", "-");
    if (!/^[-+]?[IXYZ]+$/.test(plainWord)) throw new Error(`“${word}” is no string as +XZI`);
    return plainWord;
  });
}
