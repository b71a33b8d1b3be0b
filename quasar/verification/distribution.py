"""Stage 2: where does the probability lie?

Takes exact probabilities (little-endian) and the problem's facts; gives `DistributionSignals`.
The published stage compares with a reference circuit (1 − d_JS, arXiv 2510.00967); here that
distance is a diagnostic, and the signal is how much more likely an optimum is than by guessing:

    enrichment = log2(P_opt / P_uniform) / log2(1 / P_uniform), clipped to [0, 1].
"""

import math

import numpy as np

from quasar.verification.facts import ProblemFacts
from quasar.verification.report import DistributionSignals, Outcome

NUM_OUTCOMES = 4
# Rounding before outcomes are ranked, so that equal ones keep a fixed order (ascending index).
_RANK_DECIMALS = 12
_SMALLEST_SHOWN = 1e-9


def measure_distribution(probabilities: np.ndarray, facts: ProblemFacts) -> DistributionSignals:
    """Signals of stage 2. probabilities: (2**n,), sum 1."""
    spectrum, feasible = facts.spectrum, facts.feasible
    optimum = min(1.0, float(probabilities[spectrum.optimal].sum()))
    uniform = spectrum.uniform_optimum_probability
    reference = facts.reference_probabilities
    return DistributionSignals(
        optimum_probability=optimum,
        uniform_optimum_probability=uniform,
        enrichment=enrichment(optimum, uniform),
        feasible_probability=(
            None if feasible is None else min(1.0, float(probabilities[feasible].sum()))
        ),
        most_probable=most_probable(probabilities, facts),
        js_distance=None if reference is None else js_distance(probabilities, reference),
        uniform_feasible_probability=facts.uniform_feasible_probability,
    )


def enrichment(optimum: float, uniform: float) -> float:
    """log2(P_opt/P_uniform)/log2(1/P_uniform) in [0, 1]; 0 where every state is an optimum."""
    if optimum <= uniform or uniform >= 1.0:
        return 0.0
    return min(1.0, math.log(optimum / uniform) / -math.log(uniform))


def js_distance(p: np.ndarray, q: np.ndarray) -> float:
    """Jensen–Shannon distance √(JS/ln 2) of two distributions, in [0, 1]."""
    middle = 0.5 * (p + q)
    divergence = 0.5 * (_relative_entropy(p, middle) + _relative_entropy(q, middle))
    return math.sqrt(min(1.0, max(0.0, divergence / math.log(2.0))))


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> float:
    positive = p > 0.0
    return float(np.sum(p[positive] * np.log(p[positive] / q[positive])))


def most_probable(probabilities: np.ndarray, facts: ProblemFacts) -> tuple[Outcome, ...]:
    """At most four outcomes, most probable first, with their answers in the problem's terms."""
    rounded = np.round(probabilities, _RANK_DECIMALS)
    # A stable sort of the few candidates that can be among the first; ties go by index.
    count = min(NUM_OUTCOMES, rounded.size)
    threshold = np.partition(rounded, rounded.size - count)[rounded.size - count]
    candidates = np.flatnonzero(rounded > threshold)
    ties = np.flatnonzero(rounded == threshold)[:NUM_OUTCOMES]
    candidates = np.concatenate([candidates, ties])
    order = candidates[np.lexsort((candidates, -rounded[candidates]))][:NUM_OUTCOMES]
    return tuple(
        _outcome(int(state), float(probabilities[state]), facts)
        for state in order
        if probabilities[state] > _SMALLEST_SHOWN
    )


def _outcome(state: int, probability: float, facts: ProblemFacts) -> Outcome:
    problem, decoder = facts.problem, facts.decoder
    assignment = problem.assignment(state)
    answer, feasible = None, None
    if decoder is not None:
        answer = decoder.decode(problem.graph, problem.attributes, assignment)
        feasible = bool(facts.feasible[state])
    return Outcome(
        bitstring="".join(map(str, assignment)),
        probability=probability,
        answer=answer,
        feasible=feasible,
        optimal=state in facts.is_optimal,
    )
