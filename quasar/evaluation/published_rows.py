"""Rows of the published table, as published: nobody here has measured them.

Table 1 of the published system's paper: all 580 problems of the benchmark, by its authors'
evaluator. `re` in bits, the others in percent; `srev` in their reversed bit order.
"""

_NAMES = ("scr", "re", "srev", "hqcr")
_TABLE = {  # pass@1, pass@10
    "DeepSeek-V3": ((94.83, 19.20, 12.24, 10.00), (98.97, 16.39, 26.38, 16.38)),
    "GPT-5": ((87.07, 19.94, 10.00, 6.90), (90.52, 11.57, 27.07, 16.55)),
    "GPT-4o": ((87.93, 19.42, 9.83, 6.38), (88.79, 14.08, 18.62, 12.07)),
    "Agent-Q": ((97.41, 12.74, 18.97, 15.17), (99.65, 10.81, 31.55, 23.62)),
    "cold-start GRPO": ((84.48, 14.32, 19.84, 12.41), (95.17, 11.38, 27.59, 18.96)),
    "Verl-Tool": ((97.86, 12.31, 19.62, 16.08), (99.72, 10.22, 32.04, 24.71)),
    "Vista 4B": ((99.31, 11.61, 22.41, 17.24), (100.0, 8.48, 33.10, 27.24)),
}
NUM_PROBLEMS = 580
PUBLISHED_ROWS: dict[str, dict[str, dict[str, float]]] = {
    name: {
        f"pass@{k}": dict(zip(_NAMES, values, strict=True))
        for k, values in zip((1, 10), rows, strict=True)
    }
    for name, rows in _TABLE.items()
}
