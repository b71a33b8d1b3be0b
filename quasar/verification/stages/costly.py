"""Costly stages: warm start and noise take hundreds of simulations where a grade else takes one.

Such a stage runs where it can say something of the circuit, the candidate is promising, and the
batch's budget grants it (`execution.budget`). Its cost is an estimate in amplitude
updates, turned into seconds at a stated rate: no decision, and so no grade, hangs on how busy a
machine is.
"""

from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from quasar.circuits.circuit import Circuit
from quasar.errors import SimulationError
from quasar.verification.facts import ProblemFacts

# Row-amplitude updates that a core manages in a second, low estimate.
UPDATES_PER_S = 1.5e8
HELD_BACK = "held back for the batch's budget"

Signals = TypeVar("Signals", covariant=True)


class CostlyStage(Protocol[Signals]):
    """One such stage. Deterministic in circuit and facts."""

    def reason_to_skip(self, circuit: Circuit) -> str | None:
        """Why the stage cannot say anything about this circuit; None where it can."""
        ...

    def updates(self, circuit: Circuit) -> float:
        """Row-amplitude updates that `measure` takes, at most."""
        ...

    def measure(self, circuit: Circuit, facts: ProblemFacts) -> Signals:
        """The stage's signals, for a circuit that `reason_to_skip` lets pass.

        SimulationError: it turned out that a simulator cannot run it.
        """
        ...


@dataclass(slots=True)
class StageGate(Generic[Signals]):
    """Decides on the costly stages of one candidate, and keeps what it decided and why."""

    promise: float  # the candidate's expectation part, [0, 1]
    least_promise: float
    granted: frozenset[str] | None  # stages that the budget grants; None: all
    skipped: dict[str, str] = field(default_factory=dict)  # stage -> why
    estimated_s: dict[str, float] = field(default_factory=dict)  # stage -> seconds, if it may run

    def run(
        self, name: str, stage: CostlyStage[Signals], circuit: Circuit, facts: ProblemFacts
    ) -> Signals | None:
        """The stage's signals, or None with a reason in `skipped`."""
        reason = stage.reason_to_skip(circuit)
        if reason is None and self.promise < self.least_promise:
            reason = f"the expectation part {self.promise:.3f} is below {self.least_promise:g}"
        if reason is None:
            self.estimated_s[name] = stage.updates(circuit) / UPDATES_PER_S
            if self.granted is not None and name not in self.granted:
                reason = HELD_BACK
        if reason is not None:
            self.skipped[name] = reason
            return None
        try:
            return stage.measure(circuit, facts)
        except SimulationError as error:
            self.skipped[name] = str(error)
            return None
