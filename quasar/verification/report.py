"""The one report that a verification gives: what was reached, the signals of each stage, the cost;
or `Failed`, where a fault of the verification kept us from one.

Read by rewards, evaluation, serving and the tool's observation text. Plain frozen data, picklable,
`to_dict` for JSON. Energies are in the Hamiltonian's own units. Without slots: reports cross
processes, and slots are pickled field by field.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from quasar.tasks.base import TaskSignals

# A baseline this close to 1 cannot be beaten.
_NO_ROOM = 1e-9
Stage = Literal["none", "syntax", "distribution", "expectation", "optimisation", "task"]


@dataclass(frozen=True, slots=True)
class Failed:
    """A verification that gave no report: kind is "timeout", "memory", "worker" or "error"."""

    kind: str
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, ready for JSON."""
        return asdict(self)


_TIE = 1e-9  # of probabilities


@dataclass(frozen=True)
class Diagnostic:
    """Why a program is not valid: a machine-readable kind, one sentence, 1-based position."""

    kind: str
    message: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Outcome:
    """One measured bitstring: text with character i = binary variable of qubit i (1 − bit i)."""

    bitstring: str
    probability: float
    answer: Any  # in the problem's own terms; None where the primitive has no decoder here
    feasible: bool | None  # None likewise
    optimal: bool


@dataclass(frozen=True)
class DistributionSignals:
    """Stage 2. Where the probability lies; `js_distance` needs a reference circuit."""

    optimum_probability: float  # of any ground state, [0, 1]
    uniform_optimum_probability: float  # the same under uniform sampling
    enrichment: float  # log2(P_opt/P_uniform) / log2(1/P_uniform), clipped to [0, 1]
    feasible_probability: float | None  # None where the primitive has no decoder here
    most_probable: tuple[Outcome, ...]  # at most a few, most probable first
    js_distance: float | None = None  # Jensen–Shannon distance to the reference, [0, 1]
    uniform_feasible_probability: float | None = None  # under uniform sampling; None likewise
    shots: int | None = None  # samples behind the circuit's probabilities; None: these are exact

    @property
    def leading(self) -> tuple[Outcome, ...]:
        """The outcomes that share the first place, as far as they are told; none of none."""
        first = self.most_probable
        return tuple(
            outcome
            for outcome in first
            if math.isclose(outcome.probability, first[0].probability, abs_tol=_TIE)
        )


@dataclass(frozen=True)
class ExpectationSignals:
    """Stage 3. ⟨H⟩ and where it stands in the spectrum."""

    energy: float
    minimum: float
    maximum: float
    uniform_energy: float
    approximation_ratio: float  # (E_max − E)/(E_max − E_min), [0, 1]
    uniform_approximation_ratio: float
    standard_error: float = 0.0  # of a sampled energy
    truncation_error: float = 0.0  # estimate, where a matrix product state was truncated


@dataclass(frozen=True)
class OptimisationSignals:
    """Stage 4. Warm start: what a fixed number of gradient evaluations makes of the angles."""

    gradient_evaluations: int  # budget per start
    approximation_ratio: float  # best so far, mean over the budget, from the candidate's angles
    random_approximation_ratio: float  # the same from random starts, mean over them
    gain: float  # clip((AR − AR_random)/(1 − AR_random), 0, 1)


@dataclass(frozen=True)
class NoiseSignals:
    """Stage 3 again, under a device's noise; energies as in `ExpectationSignals`."""

    model: str  # name of the noise model
    energy: float
    approximation_ratio: float
    uniform_approximation_ratio: float
    standard_error: float = 0.0  # of the energy; 0 where nothing was sampled


@dataclass(frozen=True)
class CostSignals:
    """Two-qubit gates beside those of one QAOA layer of the problem's Hamiltonian."""

    two_qubit_gates: int  # a three-qubit gate counts as its standard decomposition
    baseline_two_qubit_gates: int  # at least 1
    relative: float  # gates/(gates + baseline), in [0, 1): ½ at the baseline


@dataclass(frozen=True)
class ViolatedTerm:
    """A Hamiltonian term c·∏Z that costs more than it would in the nearest optimum."""

    coefficient: float
    wires: tuple[int, ...]
    expectation_value: float  # ⟨∏Z⟩ of the circuit, [−1, 1]
    optimal_value: int  # ∏Z in the nearest optimum: −1 or 1
    excess: float  # coefficient·(expectation_value − optimal_value) > 0


@dataclass(frozen=True)
class AngleSlope:
    """The derivative of the energy by one angle, and the way that lowers the energy."""

    angle: int  # place among all angles of the program, from 0
    gate: str
    gate_index: int  # place of its gate among all gates, from 0, after expansion
    qubits: tuple[int, ...]
    value: float  # radians
    derivative: float  # ∂E/∂θ, energy a radian
    move: Literal["raise", "lower"]  # what to do to the angle


@dataclass(frozen=True)
class ParameterSlope:
    """The derivative of the energy by one of QAOA's own parameters."""

    name: str  # g1, b1, g2, … as canonical programs name them
    value: float  # γ in radians per standard deviation of the energies, β in radians
    derivative: float  # standard deviations of the energies a radian


@dataclass(frozen=True)
class Diagnosis:
    """What to fix, made only where it is asked for.

    The nearest optimum is the ground state at the least mean Hamming distance from what the circuit
    measures. The excess of all terms, negative ones included, sums to ⟨H⟩ − E_min; `violated_terms`
    are the largest of them, at most a few.
    """

    nearest_optimum: str  # bitstring, as in `Outcome`
    violated_terms: tuple[ViolatedTerm, ...]
    gradient: tuple[AngleSlope, ...] | None  # the steepest, in program order; None if not run
    # Of a circuit that is QAOA of the problem, layer by layer; None of others, or if not run.
    parameters: tuple[ParameterSlope, ...] | None = None


@dataclass(frozen=True)
class PublishedSignals:
    """What the published formula is made of; present only where that formula is asked for."""

    error: str | None  # "parse", "action", "crash", or None
    delta: float = 0.0  # 1 − d_JS to the reference
    energy_score: float = 0.0  # s3
    qubit_penalty: float = 0.0  # q
    weight: float = 1.0  # W
    utility: float | None = None  # U, None where the gate did not open, or for `skipped`
    skipped: str | None = None  # why U was not measured where the gate did open


@dataclass(frozen=True)
class DrawnGate:
    """One gate of a drawing. Gates of one column do not overlap when drawn from wire to wire."""

    name: str
    qubits: tuple[int, ...]  # controls first
    params: tuple[float, ...]  # radians
    column: int  # from 0


@dataclass(frozen=True)
class Drawing:
    """What a person is shown of a circuit, made only where it is asked for."""

    variables: tuple[str, ...]  # the binary variable of each qubit; empty where none is known
    gates: tuple[DrawnGate, ...]  # the first ones in program order, after expansion
    omitted_gates: int  # those after them
    # Of a graph problem; what another task shows is in its signals.
    outcomes: tuple[Outcome, ...] = ()  # most probable first
    other_probability: float = 0.0  # of all outcomes that are not listed
    optimum: Outcome | None = None  # the likeliest of the known ground states


@dataclass(frozen=True)
class OptimisedProgram:
    """What the optimise tool made of the given program; the rest of the report is of `program`.

    Its energy is never above the given one's, but by the published rule, which does not ask for it.
    family: whose independent parameters were moved; None
    where every angle was. parameters: of `program`, as printed: g1, b1, g2, … of QAOA, in the
    program's own units, else a0, a1, … in radians; empty where no better angles were found.
    """

    program: str
    improved: bool  # False: `program` is the given one
    evaluations: int  # gradient evaluations that were spent
    family: str | None
    parameters: Mapping[str, float]
    # Of the given program; the last two of a graph problem's.
    energy_before: float
    approximation_ratio_before: float | None = None
    optimum_probability_before: float | None = None
    energy: float | None = None  # of `program`, where the report has no other: a task's


@dataclass(frozen=True)
class VerificationReport:
    """Everything one verification found. `valid` is stage 1; later signals are None if not run.

    `reached` is the last stage that was passed: "none" for a program that is not valid. Of a task
    other than graph problems there are syntax, cost and `task` alone.
    """

    reached: Stage
    valid: bool
    num_qubits_expected: int
    num_qubits: int | None = None
    num_gates: int = 0
    num_two_qubit_gates: int = 0
    depth: int = 0
    error: Diagnostic | None = None
    distribution: DistributionSignals | None = None
    expectation: ExpectationSignals | None = None
    optimisation: OptimisationSignals | None = None
    noise: NoiseSignals | None = None
    cost: CostSignals | None = None
    published: PublishedSignals | None = None
    diagnosis: Diagnosis | None = None
    drawing: Drawing | None = None
    optimised: OptimisedProgram | None = None
    task: TaskSignals | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)  # per stage
    skipped: Mapping[str, str] = field(default_factory=dict)  # stage -> why
    # Costly stages that the candidate earned, run or not -> seconds by estimate.
    estimated_s: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Nested plain dict, ready for JSON."""
        return asdict(self)


def gain_over(ratio: float, baseline: float) -> float:
    """(ratio − baseline)/(1 − baseline) clipped to [0, 1]; 0 where the baseline leaves no room."""
    room = 1.0 - baseline
    return 0.0 if room <= _NO_ROOM else min(1.0, max(0.0, (ratio - baseline) / room))
