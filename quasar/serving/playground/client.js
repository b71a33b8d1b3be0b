// The endpoint as the page asks it: JSON requests, the stream of events, the key, refusals.

const LAST = new Set(["answer", "error"]); // what a whole stream ends with
const KEY = "quasar-key"; // in sessionStorage: it ends with the tab
export const BASE = new URL(".", location.href);

/** A request that was refused: what was wrong, in which field, and a hint. */
export class Refusal extends Error {
  constructor(status, { message, field = null, hint = "" }) {
    super(message);
    Object.assign(this, { status, field, hint });
  }
}

export const storedKey = () => sessionStorage.getItem(KEY) ?? "";

export function storeKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

async function send(path, { body, signal, accept = "application/json" } = {}) {
  const headers = { Accept: accept };
  if (body) headers["Content-Type"] = "application/json";
  if (storedKey()) headers.Authorization = `Bearer ${storedKey()}`;
  let response;
  try {
    response = await fetch(new URL(path, BASE), {
      method: body ? "POST" : "GET",
      body: body && JSON.stringify(body),
      headers,
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, {
      message: "the endpoint does not answer",
      hint: "see whether it runs and can be reached, then try again",
    });
  }
  if (response.ok) return response;
  const refused = await response.json().catch(() => null);
  throw new Refusal(
    response.status,
    refused?.error ?? { message: `the endpoint answered ${response.status}`, hint: "try again" },
  );
}

export async function getJson(path) {
  return (await send(path)).json();
}

export async function postJson(path, body, signal) {
  return (await send(path, { body, signal })).json();
}

/** The events of a streamed answer as [name, data], to its last. Raises Refusal. */
export async function* events(path, body, signal) {
  const response = await send(path, { body, signal, accept: "text/event-stream" });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : broken();
    });
    if (done) break;
    const blocks = (waiting + value).split("\n\n");
    waiting = blocks.pop();
    for (const block of blocks) {
      const event = readEvent(block);
      if (event) yield event;
      if (event && LAST.has(event[0])) return;
    }
  }
  throw broken();
}

const broken = () =>
  new Refusal(0, { message: "the connection broke off", hint: "ask again; the same seed gives the same candidates" });

function readEvent(block) {
  let name = "message";
  let data = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  return data ? [name, JSON.parse(data)] : null; // a comment keeps the line open
}
