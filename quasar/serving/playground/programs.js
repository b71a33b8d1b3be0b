// Programs to start from, written for a problem as POST /v1/describe tells it.

const GAMMA = 0.3;
const BETA = -0.3;

function program(numQubits, gates) {
  const head = ["OPENQASM 3.0;", 'include "stdgates.inc";', `bit[${numQubits}] c;`, `qubit[${numQubits}] q;`];
  return [...head, ...gates, "c = measure q;"].join("\n");
}

const each = (numQubits, gate) => Array.from({ length: numQubits }, (_, q) => gate(q));

/** The uniform superposition: the baseline of the reward. */
export const uniformProgram = ({ num_qubits: n }) => program(n, each(n, (q) => `h q[${q}];`));

/** One layer exp(−iβΣX)·exp(−iγH) on it, each product of Z by a chain of CX. */
export function qaoaProgram({ num_qubits: n, terms }) {
  const phases = terms.filter(({ wires }) => wires.length > 0).flatMap(({ coefficient, wires }) => {
    const chain = wires.slice(1).map((q, i) => `cx q[${wires[i]}], q[${q}];`);
    const angle = Number((2 * GAMMA * coefficient).toFixed(4));
    return [...chain, `rz(${angle}) q[${wires.at(-1)}];`, ...chain.toReversed()];
  });
  return program(n, [...each(n, (q) => `h q[${q}];`), ...phases, ...each(n, (q) => `rx(${2 * BETA}) q[${q}];`)]);
}
