"""Quasar: a language model learns to write OpenQASM 3 circuits from a quantum verification tool."""

__version__ = "0.1.0"
