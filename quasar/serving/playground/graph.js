// Graphs as the page holds them: read from text or JSON, written back, laid out, made as examples.
//
// {nodes: [{id, data, x, y}], edges: [{u, v, value}], hyperedges: [[id, …]]}; x and y in a field of
// WIDTH × HEIGHT. A shape says what a problem's graphs are made of (see `shapeOf`).

export const WIDTH = 400;
export const HEIGHT = 300;
export const MAX_NODES = 60;
export const MAX_EDGES = 400;
const MARGIN = 34;

export const emptyGraph = () => ({ nodes: [], edges: [], hyperedges: [] });
export const nodeOf = (graph, id) => graph.nodes.find((node) => node.id === id);

/** What a problem's graphs are made of, as its example shows. */
export function shapeOf(problem) {
  const { graph } = problem.example;
  const own = (entry, known) => Object.keys(entry ?? {}).filter((key) => !known.includes(key));
  const hyper = "hyperedges" in graph;
  const edges = graph.edges ?? [];
  return {
    hyper,
    directed: graph.directed === true,
    joins: hyper || edges.length > 0,
    edgeValue: own(edges[0], ["source", "target"])[0] ?? null,
    nodeValues: hyper ? [] : own(graph.nodes[0], ["id"]),
  };
}

/** Whether a graph of one shape makes sense in the other. */
export const fits = (from, to) =>
  from.hyper === to.hyper && from.directed === to.directed && from.joins === to.joins;

// ---- text ---------------------------------------------------------------------------------------

const NAME = "[\\p{L}\\p{N}_.]+";
const NUMBER = "[+-]?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?";
const RULES = {
  space: /[\s,;]+/uy,
  hyper: /\{([^{}]*)\}/uy,
  edge: new RegExp(`(${NAME})\\s*(?:->|→|-|–)\\s*(${NAME})(?:\\s*:\\s*(${NUMBER}))?`, "uy"),
  item: new RegExp(`(${NAME})\\(([^()]*)\\)`, "uy"),
  pair: new RegExp(`\\(\\s*(${NAME})\\s*,\\s*(${NAME})\\s*\\)`, "uy"),
  node: new RegExp(NAME, "uy"),
};
const PLAIN_NAME = new RegExp(`^${NAME}$`, "u");

const toId = (text) => (/^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text);
const isPlain = (id) => typeof id === "number" || (PLAIN_NAME.test(id) && toId(id) === id);

/** The graph in a text or in JSON. Raises Error with a line for the reader. */
export function parseGraph(text, shape) {
  const found = emptyGraph();
  if (/^\s*[{[]/.test(text) && !/^\s*\{[^{}":]*\}/.test(text)) readJson(JSON.parse(text), found, shape);
  else readText(text, found, shape);
  for (const node of found.nodes) {
    for (const name of shape.nodeValues) node.data[name] ??= 1;
  }
  return found;
}

function addNode(graph, id, data = {}) {
  const known = nodeOf(graph, id);
  if (known) Object.assign(known.data, data);
  else if (graph.nodes.length < MAX_NODES) graph.nodes.push({ id, data });
  else throw new Error(`this page draws at most ${MAX_NODES} nodes; larger graphs go by the API`);
}

function addEdge(graph, u, v, value, shape) {
  if (u === v) throw new Error(`edge ${u}-${v} joins a node with itself`);
  if (shape.hyper) return addHyperedge(graph, [u, v]);
  addNode(graph, u);
  addNode(graph, v);
  if (joined(graph, u, v, shape)) throw new Error(`edge ${u}-${v} is there twice`);
  graph.edges.push({ u, v, value: value ?? 1 });
  checkEdges(graph);
}

function addHyperedge(graph, ids) {
  ids.forEach((id) => addNode(graph, id));
  graph.hyperedges.push([...new Set(ids)]);
  checkEdges(graph);
}

function checkEdges(graph) {
  if (graph.edges.length + graph.hyperedges.length > MAX_EDGES) {
    throw new Error(`this page draws at most ${MAX_EDGES} edges; larger graphs go by the API`);
  }
}

/** The edge from u to v (or, undirected, between them). */
export function joined(graph, u, v, shape) {
  return graph.edges.find(
    (edge) => (edge.u === u && edge.v === v) || (!shape.directed && edge.u === v && edge.v === u),
  );
}

function readText(text, found, shape) {
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
    if (shape.hyper && (match = take("hyper"))) {
      addHyperedge(found, match[1].split(",").map((part) => part.trim()).filter(Boolean).map(toId));
    } else if ((match = take("edge"))) {
      addEdge(found, toId(match[1]), toId(match[2]), match[3] && Number(match[3]), shape);
    } else if ((match = take("item"))) {
      addNode(found, toId(match[1]), readValues(match[2], shape, match[1]));
    } else if ((match = take("pair"))) {
      addEdge(found, toId(match[1]), toId(match[2]), null, shape);
    } else if ((match = take("node"))) {
      addNode(found, toId(match[0]));
    } else {
      const line = text.slice(0, at).split("\n").length;
      throw new Error(`line ${line}: cannot read “${text.slice(at, at + 12).split("\n")[0]}”`);
    }
  }
  if (found.nodes.every((node) => typeof node.id === "number")) {
    found.nodes.sort((a, b) => a.id - b.id);
  }
}

function readValues(text, shape, name) {
  const values = text.split(",").map((part) => Number(part.trim() || NaN));
  if (values.length !== shape.nodeValues.length || values.some(Number.isNaN)) {
    const example = `${name}(${shape.nodeValues.join(", ")})`;
    throw new Error(
      shape.nodeValues.length ? `node ${name}: write ${example}` : `node ${name} takes no numbers here`,
    );
  }
  return Object.fromEntries(shape.nodeValues.map((key, i) => [key, values[i]]));
}

function readJson(json, found, shape) {
  const isGraph = (value) => Boolean(value?.nodes ?? value?.edges ?? value?.hyperedges);
  const graph = [json.problem?.graph, json, json.graph].find(isGraph) ?? json;
  const { nodes = [], hyperedges = [] } = graph;
  const edges = Array.isArray(graph) ? graph : (graph.edges ?? graph.links ?? []);
  if (!Array.isArray(nodes) || !Array.isArray(edges) || !Array.isArray(hyperedges)) {
    throw new Error("the JSON holds no lists of nodes and edges");
  }
  for (const node of nodes) {
    const { id, ...data } = node !== null && typeof node === "object" ? node : { id: node };
    const kept = shape.nodeValues.filter((key) => Number.isFinite(data[key]));
    addNode(found, checkedId(id), Object.fromEntries(kept.map((key) => [key, data[key]])));
  }
  for (const edge of edges) {
    const [u, v, value] = Array.isArray(edge)
      ? edge
      : [edge?.source, edge?.target, edge?.[shape.edgeValue ?? "weight"]];
    addEdge(found, checkedId(u), checkedId(v), Number.isFinite(value) ? value : null, shape);
  }
  for (const ids of hyperedges) {
    if (!Array.isArray(ids)) throw new Error("each hyperedge is a list of nodes");
    addHyperedge(found, ids.map(checkedId));
  }
}

function checkedId(id) {
  if (typeof id === "string" || Number.isInteger(id)) return id;
  throw new Error(`a node is named by a whole number or a text, not ${JSON.stringify(id) ?? id}`);
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
  parts.push(...graph.hyperedges.map((ids) => `{${ids.join(",")}}`));
  for (const { id, data } of graph.nodes) {
    if (shape.nodeValues.length) parts.push(`${id}(${shape.nodeValues.map((k) => data[k]).join(",")})`);
    else if (!mentioned.has(id)) parts.push(String(id));
  }
  return parts.join(" ");
}

/** The graph as a request states it. */
export function toRequest(graph, shape) {
  const ids = graph.nodes.map((node) => node.id);
  if (shape.hyper) return { nodes: ids, hyperedges: graph.hyperedges };
  const value = (edge) => (shape.edgeValue ? [edge.value] : []);
  const short = graph.edges.map((edge) => [edge.u, edge.v, ...value(edge)]);
  if (!shape.directed && !shape.nodeValues.length) return { nodes: ids, edges: short };
  return {
    directed: shape.directed,
    multigraph: false,
    graph: {},
    nodes: graph.nodes.map(({ id, data }) => ({ id, ...data })),
    edges: graph.edges.map((edge) => ({
      ...(shape.edgeValue ? { [shape.edgeValue]: edge.value } : {}),
      source: edge.u,
      target: edge.v,
    })),
  };
}

// ---- layout -------------------------------------------------------------------------------------

function onCircle(nodes) {
  nodes.forEach((node, i) => {
    const angle = (2 * Math.PI * i) / nodes.length - Math.PI / 2;
    node.x = WIDTH / 2 + (WIDTH / 2 - MARGIN) * Math.cos(angle);
    node.y = HEIGHT / 2 + (HEIGHT / 2 - MARGIN) * Math.sin(angle);
  });
}

/** Positions by Fruchterman and Reingold's forces, from a circle; the same graph, the same place. */
export function arrange(graph) {
  const { nodes } = graph;
  onCircle(nodes);
  const links = [
    ...graph.edges.map(({ u, v }) => [u, v]),
    ...graph.hyperedges.flatMap((ids) => ids.slice(1).map((id) => [ids[0], id])),
  ].map(([u, v]) => [nodeOf(graph, u), nodeOf(graph, v)]);
  if (links.length === 0 || nodes.length < 3) return graph;
  const k = 0.8 * Math.sqrt((WIDTH * HEIGHT) / nodes.length);
  for (let step = 0; step < 150; step++) {
    const heat = 24 * (1 - step / 150);
    for (const node of nodes) node.force = [0, 0];
    const push = (a, b, size) => {
      const [dx, dy] = [a.x - b.x, a.y - b.y];
      const distance = Math.hypot(dx, dy) || 0.1;
      const force = size(distance) / distance;
      a.force[0] += dx * force;
      a.force[1] += dy * force;
      b.force[0] -= dx * force;
      b.force[1] -= dy * force;
    };
    nodes.forEach((a, i) => nodes.slice(i + 1).forEach((b) => push(a, b, (d) => (d < 3 * k ? (k * k) / d : 0))));
    for (const [a, b] of links) push(a, b, (d) => (-d * d) / k);
    for (const node of nodes) {
      // to the middle, so that parts without an edge between them stay together
      node.force[0] += 0.25 * (WIDTH / 2 - node.x);
      node.force[1] += 0.25 * (HEIGHT / 2 - node.y);
      const length = Math.hypot(...node.force) || 1;
      node.x += (node.force[0] / length) * Math.min(length, heat);
      node.y += (node.force[1] / length) * Math.min(length, heat);
    }
  }
  nodes.forEach((node) => delete node.force);
  fitInField(nodes);
  return graph;
}

function fitInField(nodes) {
  for (const [axis, size] of [["x", WIDTH], ["y", HEIGHT]]) {
    const low = Math.min(...nodes.map((node) => node[axis]));
    const span = Math.max(...nodes.map((node) => node[axis])) - low;
    for (const node of nodes) {
      const share = span > 1 ? (node[axis] - low) / span : 0.5;
      node[axis] = MARGIN + share * (size - 2 * MARGIN);
    }
  }
}

// ---- examples -----------------------------------------------------------------------------------

const ring = (n) => Array.from({ length: n }, (_, i) => [i, (i + 1) % n]);
const PAIRS = {
  house: () => [...ring(5), [1, 4]],
  path: () => ring(5).slice(0, 4),
  cycle: () => ring(6),
  star: () => [1, 2, 3, 4].map((i) => [0, i]),
  complete: () => [0, 1, 2, 3].flatMap((i) => [0, 1, 2, 3].filter((j) => j > i).map((j) => [i, j])),
  prism: () => [[0, 1], [1, 2], [0, 2], [3, 4], [4, 5], [3, 5], [0, 3], [1, 4], [2, 5]],
  petersen: () => [...ring(5), ...ring(5).map(([i]) => [i, i + 5]), ...ring(5).map(([i]) => [i + 5, ((i + 2) % 5) + 5])],
  random: () => {
    const tree = [1, 2, 3, 4, 5].map((i) => [Math.floor(Math.random() * i), i]);
    const more = [];
    for (let i = 0; i < 6; i++) for (let j = i + 1; j < 6; j++) if (Math.random() < 0.25) more.push([i, j]);
    return [...new Map([...tree, ...more].map((pair) => [pair.join(), pair])).values()];
  },
};
export const EXAMPLES = {
  house: "House (5 nodes)",
  path: "Path of 5",
  cycle: "Cycle of 6",
  star: "Star of 5",
  complete: "Complete graph of 4",
  prism: "Prism: 3-regular, 6 nodes",
  petersen: "Petersen graph (10 nodes)",
  random: "Random graph of 6",
};

/** One of EXAMPLES in a shape; numbers on edges are 1, or random in the random graph. */
export function exampleGraph(name, shape) {
  const graph = emptyGraph();
  for (const [u, v] of PAIRS[name]()) {
    const value = name === "random" ? 1 + Math.floor(Math.random() * 9) : 1;
    addEdge(graph, Math.min(u, v), Math.max(u, v), value, shape);
  }
  graph.nodes.sort((a, b) => a.id - b.id);
  if (["cycle", "complete"].includes(name)) onCircle(graph.nodes);
  else arrange(graph);
  return graph;
}
