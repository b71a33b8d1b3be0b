"""States to prepare: named ones, and ones that are given by their amplitudes."""
