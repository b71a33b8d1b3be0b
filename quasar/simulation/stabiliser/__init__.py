"""Clifford circuits by symplectic tableaus: polynomial, exact, to hundreds of qubits."""
