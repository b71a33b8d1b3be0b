"""Advantages, losses, batches: pure, neither Ray nor files."""
