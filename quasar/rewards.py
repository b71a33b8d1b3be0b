"""From a verification report to a reward.

Takes a `VerificationReport` (or the fault that kept us from one) and the weights of the config;
gives `Scored(value, parts)` or `Failed(kind, detail)`. A fault is never a grade. Two formulas:

hierarchical (default): −w_syntax for an invalid program, otherwise
    w_distribution·s₂ + w_expectation·s₃ + w_optimisation·s₄, each part in [0, 1] and monotone;
    the uniform superposition ("H on every qubit") scores 0 in each part.
published: the case table of the published system (BENCHMARK §4.1), for comparison.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from quasar.config import RewardConfig
from quasar.verification.report import VerificationReport


@dataclass(frozen=True, slots=True)
class Failed:
    """A verification that gave no grade: kind is "timeout", "memory", "worker" or "error"."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Scored:
    """A grade. `parts` are raw (unweighted) values by name; value = what is optimised."""

    value: float
    parts: Mapping[str, float]
    weighted: Mapping[str, float]


Outcome = Scored | Failed
