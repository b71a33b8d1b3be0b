"""Datasets in other layouts: the hub's, the published raw format; their cards and checks."""
