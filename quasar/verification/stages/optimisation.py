"""Stage 4: are the angles a good start for an optimiser?

Takes a circuit and the problem's facts; gives `OptimisationSignals`. The published stage divides by
the number of COBYLA evaluations (arXiv 2510.00967), which pays idle parameters; here the candidate
has to beat random starts of its own gate structure under the same budget, every angle free:

    gain = (AR − AR_random) / (1 − AR_random), clipped to [0, 1],

where AR is the best approximation ratio met so far, averaged over the evaluations of the budget:
the area under the learning curve, so that the angles themselves count and not only where an
optimiser may take them.

An angle that does nothing does nothing for the random starts either, and takes none of their draws,
so it earns nothing.
"""

import hashlib
from collections import OrderedDict

import numpy as np

from quasar.circuits.circuit import Circuit
from quasar.simulation.statevector.encoding import EncodedCircuit, encode
from quasar.simulation.statevector.exact import descend, energy_and_gradient
from quasar.verification.facts import MAX_ENUMERATED_QUBITS, ProblemFacts
from quasar.verification.report import OptimisationSignals, gain_over
from quasar.verification.stages.costly import UPDATES_PER_S

# Adam's step, radians. About an eighth of a turn in eight evaluations: enough to leave a bad start,
# small enough not to overshoot a good one. The energy is scaled to [0, 1] first.
STEP = 0.1
_CACHED_STRUCTURES = 4096
# A derivative (energy in [0, 1], by radian) below this at a random point is rounding: the energy
# does not depend on that angle.
_IDLE = 1e-11


class WarmStart:
    """Runs stage 4. Random starts depend on the spectrum and the angles that count, on no run."""

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
        if circuit.num_qubits > MAX_ENUMERATED_QUBITS:
            return f"the warm start is measured up to {MAX_ENUMERATED_QUBITS} qubits"
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
        """Mean over the evaluations of the best ratio so far."""
        best = descend(
            encoded,
            facts.scaled_energies,
            parameters=angles,
            evaluations=self.evaluations,
            step=STEP,
        )
        return min(1.0, max(0.0, 1.0 - float(best.mean())))

    def _random_ratio(self, encoded: EncodedCircuit, facts: ProblemFacts) -> float:
        """Mean ratio over the random starts; the same in every process and in every order: it is
        kept under a digest of all that it depends on.
        """
        energies = hashlib.sha256(facts.scaled_energies.tobytes())
        seed = int.from_bytes(energies.digest()[:8], "little")
        energies.update(encoded.rows.tobytes())
        digest = energies.digest()
        known = self._random_ratios.get(digest)
        if known is not None:
            self._random_ratios.move_to_end(digest)
            return known
        starts = self._random_starts(encoded, facts, seed)
        ratio = float(np.mean([self._ratio(encoded, facts, start) for start in starts]))
        self._random_ratios[digest] = ratio
        if len(self._random_ratios) > _CACHED_STRUCTURES:
            self._random_ratios.popitem(last=False)
        return ratio

    def _random_starts(self, encoded: EncodedCircuit, facts: ProblemFacts, seed: int) -> np.ndarray:
        """Angles (starts, num_angles), uniform over a turn; those that do nothing stay at 0."""
        probe = np.random.default_rng([seed, 0]).uniform(-np.pi, np.pi, encoded.angles.size)
        _, gradient = energy_and_gradient(encoded, facts.scaled_energies, probe)
        counts = np.abs(gradient) > _IDLE
        rng = np.random.default_rng([seed, 1])
        starts = np.zeros((self.random_starts, encoded.angles.size))
        starts[:, counts] = rng.uniform(-np.pi, np.pi, (self.random_starts, int(counts.sum())))
        return starts
