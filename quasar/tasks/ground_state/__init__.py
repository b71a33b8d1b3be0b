"""Ground states of Hamiltonians that are sums of Pauli strings."""
