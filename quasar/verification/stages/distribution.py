"""Stage 2: where does the probability lie?

Takes a readout and the problem's facts; gives `DistributionSignals`. The published stage compares
with a reference circuit (1 − d_JS, arXiv 2510.00967); here that distance is a diagnostic, and the
signal is how much more likely an optimum is than by guessing:

    enrichment = log2(P_opt / P_uniform) / log2(1 / P_uniform), clipped to [0, 1].
"""

import math

from quasar.verification.facts import ProblemFacts
from quasar.verification.readout import Readout
from quasar.verification.report import DistributionSignals, Outcome

NUM_OUTCOMES = 4
_SMALLEST_SHOWN = 1e-9


def measure_distribution(readout: Readout, facts: ProblemFacts) -> DistributionSignals:
    """Signals of stage 2."""
    optimum = readout.optimum_probability()
    uniform = facts.extremes.uniform_optimum_probability
    return DistributionSignals(
        optimum_probability=optimum,
        uniform_optimum_probability=uniform,
        enrichment=enrichment(optimum, uniform),
        feasible_probability=readout.feasible_probability(),
        most_probable=tuple(
            to_outcome(state, probability, facts)
            for state, probability in readout.most_probable(NUM_OUTCOMES)
            if probability > _SMALLEST_SHOWN
        ),
        js_distance=readout.reference_distance(),
        uniform_feasible_probability=facts.uniform_feasible_probability,
        shots=readout.shots,
    )


def enrichment(optimum: float, uniform: float) -> float:
    """log2(P_opt/P_uniform)/log2(1/P_uniform) in [0, 1]; 0 where every state is an optimum."""
    if optimum <= uniform or uniform >= 1.0:
        return 0.0
    return min(1.0, math.log(optimum / uniform) / -math.log(uniform))


def to_outcome(state: int, probability: float, facts: ProblemFacts) -> Outcome:
    """A basis state as it is told."""
    problem, decoder = facts.problem, facts.decoder
    assignment = problem.assignment(state)
    answer, feasible = None, None
    if decoder is not None:
        answer = decoder.decode(problem.graph, problem.attributes, assignment)
        feasible = facts.is_feasible(state)
    return Outcome(
        bitstring="".join(map(str, assignment)),
        probability=probability,
        answer=answer,
        feasible=feasible,
        optimal=facts.is_optimal(state),
    )
