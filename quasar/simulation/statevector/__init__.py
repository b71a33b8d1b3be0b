"""Compiled exact state vectors with adjoint gradients."""
