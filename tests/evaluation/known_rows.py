"""What tests of summaries and reports share: rows whose figures are known, and their summary."""

from quasar.evaluation.aggregate import Aggregator
from quasar.evaluation.summary import METRICS, Summary

NOTHING = {metric.column: None for metric in METRICS}


def sample(ratio: float | None, **values) -> dict:
    """A row with a reference; ratio None: not valid."""
    valid = ratio is not None
    known = {
        "published_scr": valid,
        "published_re": 2.0 if valid else None,
        "published_srev": False,
        "published_hqcr": False,
        "valid": valid,
        "srev": False,
        "at_least_reference": valid and ratio > 0.5,
        "decoded_correct": False,
        "approximation_ratio": ratio or 0.0,
        "optimum_probability": 0.0,
        "optimum_enrichment_bits": -3.0,
        "js_distance": 1.0,
        "relative_energy_gap": 1 - (ratio or 0.0),
        "warm_start_gain": 0.0,
        "reward": ratio if valid else -1.0,
        "failure": None if valid else "syntax",
    }
    return known | values


def summary_of(*problems: list[dict], names=("min_cut",), **more) -> Summary:
    aggregator = Aggregator(seed=1)
    for i, samples in enumerate(problems):
        facts = {"primitive": names[i % len(names)], "num_qubits": 3 + i, "uniform": 0.5}
        aggregator.add(samples, facts)
    return aggregator.finish(**more)
