"""The compact prompt: what a small model can use of a problem, and nothing else.

Takes the Hamiltonian and the wanted form of the answer; gives one chat message. Graph, names of
nodes and the scale of the energies stay outside: qubits are 0…n−1, coefficients are in units of the
standard deviation of the energies, so that the same Hamiltonian is the same prompt whatever problem
it came from, and the answer holds for all of them.
"""

from quasar.circuits.canonical import NormalisedTerm, energy_scale, normalised_terms
from quasar.problems.hamiltonian import IsingHamiltonian

SIZE, ANSATZ, SCALE, TERMS = "Qubits: ", "\nAnsatz: ", "\nScale: ", "\nH ="


def compact_messages(
    hamiltonian: IsingHamiltonian, *, ansatz: str, layers: int
) -> list[dict[str, str]]:
    """One message of the user."""
    terms = "".join(map(term_text, normalised_terms(hamiltonian)))
    text = (
        f"{SIZE}{hamiltonian.num_qubits}{ANSATZ}{ansatz}{layers_text(layers)}"
        f"{SCALE}{energy_scale(hamiltonian):.3g}{TERMS}{terms}"
    )
    return [{"role": "user", "content": text}]


def layers_text(layers: int) -> str:
    """`, 2 layers`."""
    return f", {layers} layer{'s' if layers != 1 else ''}"


def term_text(term: NormalisedTerm) -> str:
    """` -0.31 q0 q2`."""
    return f" {term.text}" + "".join(f" q{q}" for q in term.wires)
