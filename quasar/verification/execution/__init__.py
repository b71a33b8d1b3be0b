"""Verification on processes and actors that may be ended at any time."""
