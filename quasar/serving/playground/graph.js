// Graphs as the page holds them: stated as a request, laid out, made as examples. `notation.js` reads
// and writes them as text.
//
// {nodes: [{id, data, x, y}], edges: [{u, v, value}], hyperedges: [[id, …]]}; x and y in a field of
// WIDTH × HEIGHT. A hyperedge that is a clause has `negated`, a list of ids, and `weight`, a number or
// null, besides. A shape says what a problem's graphs are made of (see `shapeOf`).

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
    name: problem.primitive.replaceAll("_", " "),
    hyper,
    clauses: hyper && !Array.isArray(graph.hyperedges[0]),
    directed: graph.directed === true,
    joins: hyper || edges.length > 0,
    edgeValue: own(edges[0], ["source", "target"])[0] ?? null,
    nodeValues: hyper ? [] : own(graph.nodes[0], ["id"]),
  };
}

/** Whether a graph of one shape makes sense in the other. */
export const fits = (from, to) =>
  from.hyper === to.hyper && from.clauses === to.clauses && from.directed === to.directed &&
  from.joins === to.joins && from.nodeValues.join() === to.nodeValues.join();

/** The edge from u to v (or, undirected, between them). */
export function joined(graph, u, v, shape) {
  return graph.edges.find(
    (edge) => (edge.u === u && edge.v === v) || (!shape.directed && edge.u === v && edge.v === u),
  );
}

const same = (ids, others) => ids.length === others.length && ids.every((id) => others.includes(id));

/** Whether a hyperedge of these nodes (and, of a clause, of these literals) is there. */
export const hyperjoined = (graph, ids) =>
  graph.hyperedges.some((other) => same(ids, other) && same(ids.negated ?? [], other.negated ?? []));

/** A clause of these nodes. */
export const clause = (ids, negated = [], weight = null) => Object.assign([...ids], { negated, weight });

/** A hyperedge without one of its nodes. */
export function without(ids, id) {
  const left = ids.filter((other) => other !== id);
  return ids.negated ? clause(left, ids.negated.filter((other) => other !== id), ids.weight) : left;
}

const clauseRequest = (ids) => ({
  nodes: [...ids],
  negated: ids.negated ?? [],
  ...(ids.weight === null || ids.weight === undefined ? {} : { weight: ids.weight }),
});

/** The graph as a request states it. */
export function toRequest(graph, shape) {
  const ids = graph.nodes.map((node) => node.id);
  if (shape.hyper) {
    return { nodes: ids, hyperedges: shape.clauses ? graph.hyperedges.map(clauseRequest) : graph.hyperedges };
  }
  const value = (edge) => (shape.edgeValue ? [edge.value] : []);
  const short = graph.edges.map((edge) => [edge.u, edge.v, ...value(edge)]);
  if (!shape.directed && !shape.nodeValues.length) return { nodes: ids, edges: short };
  const data = (node) => Object.fromEntries(shape.nodeValues.map((name) => [name, node.data[name]]));
  return {
    directed: shape.directed,
    multigraph: false,
    graph: {},
    nodes: graph.nodes.map((node) => ({ id: node.id, ...data(node) })),
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
  const pairs = PAIRS[name]();
  for (const [u, v] of pairs) {
    const value = name === "random" ? 1 + Math.floor(Math.random() * 9) : 1;
    const ends = [Math.min(u, v), Math.max(u, v)];
    if (shape.hyper) graph.hyperedges.push(ends);
    else graph.edges.push({ u: ends[0], v: ends[1], value });
  }
  const ids = new Set(pairs.flat());
  graph.nodes = [...ids].sort((a, b) => a - b).map((id) => ({ id, data: {} }));
  if (["cycle", "complete"].includes(name)) onCircle(graph.nodes);
  else arrange(graph);
  return graph;
}
