"""Simulators of qiskit-aer: state vectors, matrix product states, noise."""
