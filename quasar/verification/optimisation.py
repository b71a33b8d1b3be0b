"""Stage 4: are the angles a good start for an optimiser?

Takes a circuit and the problem's facts; gives `OptimisationSignals`. The published stage divides by
the number of COBYLA evaluations (arXiv 2510.00967), which pays idle parameters; here the candidate
has to beat random starts of its own gate structure under the same budget, every angle free:

    gain = (AR − AR_random) / (1 − AR_random), clipped to [0, 1].

An angle that does nothing does nothing for the random starts either, so it earns nothing.
"""

import hashlib
from collections import OrderedDict

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.simulation.encoding import EncodedCircuit, encode
from quasar.simulation.exact import descend
from quasar.verification.costly import UPDATES_PER_S
from quasar.verification.facts import ProblemFacts
from quasar.verification.report import OptimisationSignals, gain_over

# Adam's step, radians. About an eighth of a turn in eight evaluations: enough to leave a bad start,
# small enough not to overshoot a good one. The energy is scaled to [0, 1] first.
STEP = 0.1
_CACHED_STRUCTURES = 4096


class WarmStart:
    """Runs stage 4. Random starts depend on the spectrum and the gate structure, not on the run."""

    def __init__(self, *, evaluations: int, random_starts: int, time_limit_s: float):
        self.evaluations = evaluations
        self.random_starts = random_starts
        self.max_updates = 0.5 * time_limit_s * UPDATES_PER_S
        self._random_ratios: OrderedDict[bytes, float] = OrderedDict()

    def reason_to_skip(self, circuit: Circuit) -> str | None:
        """Why the stage cannot say anything about this circuit; None where it can."""
        if self.evaluations == 0:
            return "switched off (gradient_evaluations is 0)"
        if not circuit.parameters:
            return "the circuit has no parameters"
        if self.updates(circuit) > self.max_updates:
            return "the circuit is too large for half of the time limit"
        return None

    def updates(self, circuit: Circuit) -> float:
        """Row-amplitude updates of the stage, random starts that are already known included."""
        # A gradient evaluation makes three passes: forward, and backward with two vectors.
        passes = 3 * self.evaluations * (self.random_starts + 1)
        return passes * len(circuit.gates) * 2.0**circuit.num_qubits

    def measure(self, circuit: Circuit, facts: ProblemFacts) -> OptimisationSignals:
        """Signals of stage 4 for a circuit that `reason_to_skip` lets pass."""
        encoded = encode(circuit)
        ratio = self._ratio(encoded, facts, encoded.angles)
        random_ratio = self._random_ratio(encoded, facts)
        return OptimisationSignals(
            gradient_evaluations=self.evaluations,
            approximation_ratio=ratio,
            random_approximation_ratio=random_ratio,
            gain=gain_over(ratio, random_ratio),
        )

    def _ratio(self, encoded: EncodedCircuit, facts: ProblemFacts, angles: np.ndarray) -> float:
        best = descend(
            encoded,
            facts.scaled_energies,
            parameters=angles,
            evaluations=self.evaluations,
            step=STEP,
        )
        return min(1.0, max(0.0, 1.0 - best))

    def _random_ratio(self, encoded: EncodedCircuit, facts: ProblemFacts) -> float:
        """Mean ratio over the random starts; the same in every process and in every order: what
        is kept, and the seed, hang on one digest of all that the ratio depends on.
        """
        digest = hashlib.sha256(facts.scaled_energies.tobytes() + encoded.rows.tobytes()).digest()
        known = self._random_ratios.get(digest)
        if known is not None:
            self._random_ratios.move_to_end(digest)
            return known
        rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        starts = rng.uniform(-np.pi, np.pi, (self.random_starts, encoded.angles.size))
        ratio = float(np.mean([self._ratio(encoded, facts, start) for start in starts]))
        self._random_ratios[digest] = ratio
        if len(self._random_ratios) > _CACHED_STRUCTURES:
            self._random_ratios.popitem(last=False)
        return ratio
