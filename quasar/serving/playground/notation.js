// A graph as text: the notation of the page, or node-link JSON. Read and written here alone.
//
// Nothing of a text is left out and nothing is made up: what cannot be read, or what the problem has
// no use for, raises Error with a line for the reader that names it.

import { MAX_EDGES, MAX_NODES, clause, emptyGraph, hyperjoined, joined, nodeOf, toRequest } from "./graph.js";

const NAME = "[\\p{L}\\p{N}_](?:[\\p{L}\\p{N}_.]*[\\p{L}\\p{N}_])?";
const NUMBER = "[+-]?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?";
const RULES = {
  space: /[\s,;]+/uy,
  hyper: new RegExp(`\\{([^{}]*)\\}(?:\\s*:\\s*(${NUMBER}))?`, "uy"),
  edge: new RegExp(`(${NAME})\\s*(->|→|-|–)\\s*(${NAME})(?:\\s*:\\s*(${NUMBER}))?`, "uy"),
  item: new RegExp(`(${NAME})\\(([^()]*)\\)`, "uy"),
  pair: new RegExp(`\\(\\s*(${NAME})\\s*,\\s*(${NAME})\\s*\\)`, "uy"),
  node: new RegExp(NAME, "uy"),
};
const WHOLE = { name: new RegExp(`^${NAME}$`, "u"), number: new RegExp(`^${NUMBER}$`, "u") };
const ARROWS = ["->", "→"];

const toId = (text) => (/^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text);
const isPlain = (id) => typeof id === "number" || (WHOLE.name.test(id) && toId(id) === id);

/** The graph in a text or in JSON. Raises Error with a line for the reader. */
export function parseGraph(text, shape) {
  const found = new Found(shape);
  if (/^\s*[{[]/.test(text) && !/^\s*\{[^{}":]*\}/.test(text)) readJson(parseJson(text), found);
  else readText(text, found);
  return found.finished();
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`this is not JSON: ${error.message}`, { cause: error });
  }
}

/** A graph as it is being read; each part is checked as it comes. */
class Found {
  constructor(shape) {
    this.shape = shape;
    this.graph = emptyGraph();
    this.listed = new Set(); // nodes that are stated by themselves
  }

  /** A node; `data` where it is stated by itself with its numbers. */
  node(id, data = null) {
    const { graph } = this;
    let node = nodeOf(graph, id);
    if (!node) {
      if (graph.nodes.length >= MAX_NODES) {
        throw new Error(`this page draws at most ${MAX_NODES} nodes; larger graphs go by the API`);
      }
      node = { id, data: {} };
      graph.nodes.push(node);
    }
    if (data === null) return;
    if (this.listed.has(id)) throw new Error(`node ${id} is there twice`);
    this.listed.add(id);
    node.data = data;
  }

  edge(u, v, value = null, written = `${u}-${v}`) {
    const { shape, graph } = this;
    if (u === v) throw new Error(`edge ${written} joins a node with itself`);
    if (!shape.hyper && !shape.joins) throw new Error(`edge ${written}: ${shape.name} has no edges`);
    if (value !== null && !shape.edgeValue) {
      throw new Error(
        `edge ${written} has the number ${value}: ${shape.name} has none on its edges; leave it out, ` +
          "or choose a problem with weights",
      );
    }
    if (shape.hyper) return this.hyperedge(shape.clauses ? clause([u, v]) : [u, v]);
    this.node(u);
    this.node(v);
    if (joined(graph, u, v, shape)) throw new Error(`edge ${written} is there twice`);
    graph.edges.push({ u, v, value });
    this.#count();
  }

  hyperedge(ids) {
    const { shape, graph } = this;
    const written = writtenGroup(ids);
    if (!shape.hyper) throw new Error(`${written}: ${shape.name} has no hyperedges`);
    if (ids.length === 0) throw new Error("a hyperedge {} has no nodes");
    if (new Set(ids).size < ids.length) throw new Error(`${written} lists a node twice`);
    if (hyperjoined(graph, ids)) throw new Error(`${written} is there twice`);
    ids.forEach((id) => this.node(id));
    graph.hyperedges.push(ids);
    this.#count();
  }

  #count() {
    if (this.graph.edges.length + this.graph.hyperedges.length > MAX_EDGES) {
      throw new Error(`this page draws at most ${MAX_EDGES} edges; larger graphs go by the API`);
    }
  }

  /** Where no number is written each is 1, as the hint beside the text says; some are no answer. */
  finished() {
    const { graph, shape } = this;
    const without = graph.edges.find((edge) => edge.value === null);
    if (without && graph.edges.some((edge) => edge.value !== null)) {
      throw new Error(`edge ${without.u}-${without.v} has no ${shape.edgeValue}, others have one`);
    }
    for (const edge of graph.edges) edge.value ??= 1;
    if (shape.nodeValues.length) {
      const bare = graph.nodes.find((node) => !(shape.nodeValues[0] in node.data));
      if (bare && graph.nodes.some((node) => shape.nodeValues[0] in node.data)) {
        throw new Error(`node ${bare.id} has no numbers, others have them`);
      }
      for (const node of graph.nodes) for (const name of shape.nodeValues) node.data[name] ??= 1;
    }
    return graph;
  }
}

/** A number that this page holds exactly. */
function checkedNumber(value, where) {
  const exact = typeof value === "number" && Number.isFinite(value) &&
    (!Number.isInteger(value) || Number.isSafeInteger(value));
  if (!exact) throw new Error(`${where}: ${JSON.stringify(value)} is not a number that this page can hold`);
  return value;
}

// ---- the page's notation ------------------------------------------------------------------------

function readText(text, found) {
  const { shape, graph } = found;
  let at = 0;
  const take = (rule) => {
    RULES[rule].lastIndex = at;
    const match = RULES[rule].exec(text);
    if (match) at += match[0].length;
    return match;
  };
  while (at < text.length) {
    let match;
    if (take("space")) continue;
    const begin = at;
    if ((match = take("hyper"))) {
      checkEnd(text, begin, at);
      found.hyperedge(readGroup(match, shape));
    } else if ((match = take("edge"))) {
      checkEnd(text, begin, at);
      const [written, u, arrow, v, number] = match;
      if (!shape.directed && ARROWS.includes(arrow)) {
        throw new Error(`edge ${written} has a direction: ${shape.name} has none; write ${u}-${v}`);
      }
      const value = number === undefined ? null : checkedNumber(Number(number), `edge ${written}`);
      found.edge(toId(u), toId(v), value, `${u}${arrow}${v}`);
    } else if ((match = take("item"))) {
      found.node(toId(match[1]), readValues(match[2], shape, match[1]));
    } else if ((match = take("pair"))) {
      found.edge(toId(match[1]), toId(match[2]));
    } else if ((match = take("node"))) {
      found.node(toId(match[0]));
    } else {
      throw unread(text, begin);
    }
    checkEnd(text, begin, at);
  }
  if (graph.nodes.every((node) => typeof node.id === "number")) {
    graph.nodes.sort((a, b) => a.id - b.id);
  }
}

/** A part ends at a space or a bracket: 0-1:3x is not an edge and a node. */
function checkEnd(text, begin, at) {
  const ends = at === text.length || /[\s,;]/.test(text[at]) || /[)}]/.test(text[at - 1]);
  if (!ends) throw unread(text, begin);
}

function unread(text, begin) {
  const line = text.slice(0, begin).split("\n").length;
  const [part] = text.slice(begin).match(/^\S{1,24}/);
  return new Error(`line ${line}: cannot read “${part}”`);
}

/** The nodes of "{0,1}"; of "{0,!1}:3" where the problem has clauses. */
function readGroup([written, inside, number], shape) {
  const parts = inside.split(",").map((part) => part.trim());
  const ids = parts.map((part) => hyperNode(shape.clauses ? part.replace(/^!\s*/, "") : part, written));
  if (!shape.clauses) {
    if (number !== undefined) throw new Error(`${written}: ${shape.name} has no numbers on its hyperedges`);
    return ids;
  }
  const negated = ids.filter((_, i) => parts[i].startsWith("!"));
  return clause(ids, negated, number === undefined ? null : checkedNumber(Number(number), written));
}

function writtenGroup(ids) {
  const weight = ids.weight ?? null;
  const literals = ids.map((id) => (ids.negated?.includes(id) ? `!${id}` : id));
  return `{${literals.join(",")}}${weight === null ? "" : `:${weight}`}`;
}

function hyperNode(text, written) {
  if (!WHOLE.name.test(text)) throw new Error(`cannot read “${text}” in ${written}`);
  return toId(text);
}

function readValues(text, shape, name) {
  const parts = text.split(",").map((part) => part.trim());
  if (!shape.nodeValues.length) throw new Error(`node ${name}(${text}): ${shape.name} has no numbers on its nodes`);
  if (parts.length !== shape.nodeValues.length || !parts.every((part) => WHOLE.number.test(part))) {
    throw new Error(`node ${name}: write ${name}(${shape.nodeValues.join(", ")})`);
  }
  const values = parts.map((part) => checkedNumber(Number(part), `node ${name}`));
  return Object.fromEntries(shape.nodeValues.map((key, i) => [key, values[i]]));
}

/** The graph as `parseGraph` reads it, short where its names allow that. */
export function formatGraph(graph, shape) {
  if (!graph.nodes.every((node) => isPlain(node.id))) {
    return JSON.stringify(toRequest(graph, shape), null, 1);
  }
  const mentioned = new Set([...graph.edges.flatMap(({ u, v }) => [u, v]), ...graph.hyperedges.flat()]);
  const arrow = shape.directed ? "->" : "-";
  const parts = graph.edges.map(({ u, v, value }) =>
    shape.edgeValue ? `${u}${arrow}${v}:${value}` : `${u}${arrow}${v}`,
  );
  const plainPair = (ids) => ids.length === 2 && !shape.clauses;
  parts.push(...graph.hyperedges.map((ids) => (plainPair(ids) ? ids.join("-") : writtenGroup(ids))));
  for (const { id, data } of graph.nodes) {
    if (shape.nodeValues.length) parts.push(`${id}(${shape.nodeValues.map((k) => data[k]).join(",")})`);
    else if (!mentioned.has(id)) parts.push(String(id));
  }
  return parts.join(" ");
}

// ---- JSON ---------------------------------------------------------------------------------------

function readJson(json, found) {
  const { shape } = found;
  const graph = Array.isArray(json) ? { edges: json } : unwrapped(json);
  const { nodes = [], edges, links, hyperedges = [], directed, multigraph, graph: named, ...others } = graph;
  refuseOthers(others, "the graph");
  if (edges !== undefined && links !== undefined) throw new Error("the JSON has both “edges” and “links”");
  const pairs = edges ?? links ?? [];
  if (![nodes, pairs, hyperedges].every(Array.isArray)) {
    throw new Error("the JSON holds no lists of nodes and edges");
  }
  if (directed !== undefined && directed !== shape.directed) {
    throw new Error(`the graph says “directed”: ${JSON.stringify(directed)}; ${shape.name} needs ${shape.directed}`);
  }
  if (multigraph !== undefined && multigraph !== false) throw new Error("a multigraph cannot be drawn here");
  if (isObject(named)) refuseOthers(named, "the graph");
  for (const node of nodes) readJsonNode(node, found);
  for (const edge of pairs) readJsonEdge(edge, found);
  for (const entry of hyperedges) found.hyperedge(readJsonHyperedge(entry, shape));
}

function readJsonHyperedge(entry, shape) {
  if (Array.isArray(entry)) return shape.clauses ? clause(entry.map(checkedId)) : entry.map(checkedId);
  if (!shape.clauses || !isObject(entry)) throw new Error("each hyperedge is a list of nodes");
  const { nodes, negated = [], weight = null, ...others } = entry;
  refuseOthers(others, "a clause");
  if (![nodes, negated].every(Array.isArray)) throw new Error("a clause has a list of “nodes”, and of “negated” ones");
  const outside = negated.find((id) => !nodes.includes(id));
  if (outside !== undefined) throw new Error(`a clause negates ${outside}, which is none of its nodes`);
  return clause(nodes.map(checkedId), negated.map(checkedId), weight === null ? null : checkedNumber(weight, "a clause"));
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** The graph itself; what stands around it states a problem, which is chosen in the page. */
function unwrapped(json) {
  if (!isObject(json)) throw new Error("the JSON is not a graph");
  const isGraph = (value) => isObject(value) && Boolean(value.nodes ?? value.edges ?? value.links ?? value.hyperedges);
  if (isGraph(json)) return json;
  const [inner, around] = isGraph(json.problem?.graph) ? [json.problem.graph, { ...json, ...json.problem }]
    : isGraph(json.graph) ? [json.graph, json] : [null, {}];
  if (!inner) throw new Error("the JSON holds no lists of nodes and edges");
  const { graph: _graph, problem: _problem, ...others } = around;
  refuseOthers(others, "the JSON", "paste the graph alone and choose the rest in the page");
  return inner;
}

function refuseOthers(others, where, hint = "leave it out") {
  const [name] = Object.keys(others);
  if (name !== undefined) throw new Error(`${where} has “${name}”, which is not used here; ${hint}`);
}

function readJsonNode(node, found) {
  const { nodeValues, name } = found.shape;
  if (!isObject(node)) return found.node(checkedId(node), {});
  const { id: given, ...data } = node;
  const id = checkedId(given);
  for (const key of Object.keys(data)) {
    if (!nodeValues.includes(key)) throw new Error(`node ${id} has “${key}”, which ${name} does not use; leave it out`);
  }
  for (const key of nodeValues) {
    if (!(key in data)) throw new Error(`node ${id} has no “${key}”`);
    checkedNumber(data[key], `node ${id}: ${key}`);
  }
  found.node(id, data);
}

function readJsonEdge(edge, found) {
  const { edgeValue, name } = found.shape;
  if (Array.isArray(edge)) {
    if (edge.length < 2 || edge.length > 3) throw new Error(`edge ${JSON.stringify(edge)} is not [node, node] or [node, node, number]`);
    const [u, v, value = null] = edge;
    return found.edge(checkedId(u), checkedId(v), value === null ? null : checkedNumber(value, `edge ${u}-${v}`));
  }
  if (!isObject(edge)) throw new Error(`edge ${JSON.stringify(edge)} is not [node, node] or an object`);
  const { source, target, ...data } = edge;
  const [u, v] = [checkedId(source), checkedId(target)];
  for (const key of Object.keys(data)) {
    if (key !== edgeValue) throw new Error(`edge ${u}-${v} has “${key}”, which ${name} does not use; leave it out`);
  }
  const value = edgeValue in data ? checkedNumber(data[edgeValue], `edge ${u}-${v}: ${edgeValue}`) : null;
  found.edge(u, v, value);
}

function checkedId(id) {
  if (typeof id === "string" || Number.isSafeInteger(id)) return id;
  throw new Error(`a node is named by a whole number or a text, not ${JSON.stringify(id) ?? id}`);
}
