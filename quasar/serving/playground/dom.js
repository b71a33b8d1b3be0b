// Elements without markup: text is only ever set as text, so nothing that a model writes is parsed.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** An HTML element; `onclick` and the like are listeners, null and false leave an attribute out. */
export function el(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An SVG element, as `el`. */
export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

export const $ = (id) => document.getElementById(id);

/** A number for reading: at most `digits` decimals, with a true minus sign. */
export function number(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  const text = Number.isInteger(value) ? String(value) : value.toFixed(digits);
  return text.replace("-", "−");
}

export const percent = (value) =>
  value > 0 && value < 0.0005 ? "<0.1 %" : `${(100 * value).toFixed(1)} %`;

export const words = (name) => String(name).replaceAll("_", " ");

export const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Put text on the clipboard; also where the page has no secure context. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { class: "offscreen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) throw new Error("the browser does not let this page copy; select the text instead");
  }
}
