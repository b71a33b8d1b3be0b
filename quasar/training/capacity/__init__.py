"""Memory and time of a run: planned before it starts, measured while it runs."""
