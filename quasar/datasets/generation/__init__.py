"""Solved examples: candidates, their plan, the solving workers."""
