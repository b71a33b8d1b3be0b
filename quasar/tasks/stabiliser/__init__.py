"""Clifford operators, encoders of stabiliser codes, and stabiliser states."""
