"""The task: prepare a ground state of a Hamiltonian that is a sum of Pauli strings.

Takes a circuit's state |ψ⟩; with E0 and the ground space exact (`quasar.simulation.eigensolver`),
E_ref the energy of the best product state and F_ref the largest overlap of a product state with the
ground space, the parts are

    energy    w · (E_ref − ⟨H⟩)/(E_ref − E0)
    fidelity  (F − F_ref)/(1 − F_ref)

clipped to [0, 1]: no product state scores. w is the weight of |ψ⟩ in the sector (numbers of up and
down electrons) that the ground state is sought in, where the instance names one, so that a right
energy in a wrong sector is worth nothing. Success: |⟨H⟩ − E0| at most 1.6 mHa for molecules, else
2 % of E_ref − E0; instances are drawn such that no product state has it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.problems.pauli import PauliSum
from quasar.simulation import eigensolver
from quasar.simulation.statevector import exact
from quasar.simulation.statevector.encoding import encode
from quasar.tasks.base import (
    ContentForm,
    PromptMessages,
    PromptStyle,
    RewardPart,
    Task,
    TaskInstance,
    gain,
)
from quasar.tasks.ground_state import chains, families, smooth
from quasar.tasks.ground_state.chains import ChainFacts, ChainFound
from quasar.tasks.ground_state.families import MAX_QUBITS, MAX_SITES
from quasar.tasks.ground_state.forms import content_form
from quasar.tasks.ground_state.found import SHARE, GroundFacts, GroundFound, draw_levels, excesses
from quasar.tasks.ground_state.instances import LEAST_ROOM, NAME, facts_of, model_of, read_instance
from quasar.tasks.ground_state.layers import layer_pieces, layers_script, layers_text
from quasar.tasks.ground_state.molecules import MOLECULES
from quasar.tasks.ground_state.prompts import ask, molecule_text
from quasar.tasks.ground_state.sectors import lowest_of_wrong_sector
from quasar.tasks.ground_state.smooth import constant_layers, smooth_layers
from quasar.tasks.ground_state.teacher import teach
from quasar.tasks.ground_state.words import read_words
from quasar.tasks.programs import DECIMALS, program, real_layers
from quasar.tasks.words import AskedInstance, asked_of
from quasar.tasks.writing import Piece, Script

_LEAST_SECTOR = 0.99  # weight in the sector for a success
_NUM_TERMS = 3  # in the advice
_DENSE_QUBITS = 10  # of a second opinion
_GOOD = 0.995  # what the teacher is content with, of each part
_TAUGHT = 0.5  # of the tolerance: the largest error of an answer to learn from, where there is one


def energy_part(found: GroundFound) -> float:
    """w · (E_ref − E)/(E_ref − E0)."""
    facts = found.facts
    return found.in_sector * gain(found.worst_energy, facts.product.value, facts.ground.energy)


def fidelity_part(found: GroundFound) -> float:
    """(F − F_ref)/(1 − F_ref)."""
    return gain(found.least_fidelity, found.facts.closest.value)


class GroundState(Task[TaskInstance, GroundFacts, GroundFound]):
    """Ground states; instances of `families.FAMILIES`.

    An instance's content: `parameters` of the family; or, of the family custom, `hamiltonian`
    (`0.5*X0*X1 + -1*Z2`), and `sector` ({up, down}) where there is one.
    """

    name = NAME
    version = "2"  # of LiH beyond 2.45 Å an orbital's sign was another one
    summary = "Prepare the ground state of a Hamiltonian that is a sum of Pauli strings."
    families = families.FAMILIES
    parts = {  # noqa: RUF012  (never changed)
        "energy": RewardPart(
            "share of the energy from the best product state down to E0", 0.6, energy_part
        ),
        "fidelity": RewardPart(
            "overlap with the ground space above any product state's", 0.4, fidelity_part
        ),
    }
    tunable = True
    max_qubits = MAX_SITES

    def possible_qubits(self, family: str, at_most: int) -> tuple[int, ...]:
        return families.possible_qubits(self.require_family(family), at_most)

    def generate(self, rng: np.random.Generator, *, family: str, num_qubits: int) -> TaskInstance:
        self.require_size(family, num_qubits)
        while True:
            drawn = families.draw(rng, family, num_qubits)
            instance = self.read(family, {"parameters": drawn}, num_qubits=num_qubits)
            model = model_of(instance)
            hamiltonian = model.hamiltonian
            # The cheap half of the facts decides whether there is anything to find.
            room = facts_of(model).room
            least = LEAST_ROOM * (hamiltonian.one_norm - abs(hamiltonian.constant))
            # of a molecule pulled apart a product state may be within what counts as found
            if room > max(least, model.tolerance or 0.0):
                return instance

    def read(
        self, family: str, content: Mapping[str, Any], *, num_qubits: int | None = None
    ) -> TaskInstance:
        family = self.require_family(family)
        return read_instance(self.name, family, content, num_qubits=num_qubits)

    def form(self, family: str) -> ContentForm:
        return content_form(self.require_family(family))

    def from_words(self, text: str) -> AskedInstance | None:
        return asked_of(self, read_words(text))

    def prompt(
        self, instance: TaskInstance, *, style: PromptStyle = "structured"
    ) -> PromptMessages:
        return ask(instance, model_of(instance), style=style)

    def facts(self, instance: TaskInstance) -> GroundFacts:
        return facts_of(model_of(instance))

    def size_of(self, facts: GroundFacts) -> int:
        return facts.nbytes

    def measure(self, circuit: Circuit, facts: GroundFacts) -> GroundFound:
        if isinstance(facts, ChainFacts):
            return chains.measure(circuit, facts)
        state = exact.statevector(encode(circuit))
        inside = 1.0
        if facts.sector is not None:
            inside = float((np.abs(state[facts.sector]) ** 2).sum())
        return GroundFound(
            facts=facts,
            state=state,
            energy=exact.expectation_value(state, facts.hamiltonian),
            fidelity=facts.ground.overlap(state),
            in_sector=min(1.0, inside),
        )

    def success(self, found: GroundFound) -> bool:
        return found.off <= found.facts.tolerance and found.in_sector >= _LEAST_SECTOR

    def figures(self, found: GroundFound) -> Mapping[str, float]:
        facts = found.facts
        if isinstance(found, ChainFound):
            return chains.figures(found)
        figures = {
            "energy": found.energy,
            "ground_energy": facts.ground.energy,
            "product_energy": facts.product.value,
            "tolerance": facts.tolerance,
            "gap": facts.ground.gap,
            "fidelity": found.fidelity,
            "product_fidelity": facts.closest.value,
            "degeneracy": float(facts.ground.degeneracy),
        }
        return figures if facts.sector is None else {**figures, "in_sector": found.in_sector}

    def headline(self, found: GroundFound) -> str:
        facts = found.facts
        return (
            f"energy {found.energy:.5g} (ground {facts.ground.energy:.5g}, best product state "
            f"{facts.product.value:.5g}), fidelity {found.fidelity:.3f}"
        )

    def advice(self, found: GroundFound) -> tuple[str, ...]:
        facts, lines = found.facts, []
        if self.success(found):
            return ()
        if facts.sector is not None and found.in_sector < _LEAST_SECTOR:
            lines.append(f"weight {found.in_sector:.3f} in the sector asked for, must be 1")
        costly = sorted(
            (t for t in excesses(found) if t.excess > 1e-3 * facts.room), key=lambda t: -t.excess
        )
        if costly:
            lines.append(
                "terms that cost: "
                + ", ".join(
                    f"{t.term.coefficient:.4g}*{t.term.word} at {t.mean:.2f} not {t.wanted:.2f}"
                    for t in costly[:_NUM_TERMS]
                )
            )
        return tuple(lines)

    def baseline(self, facts: GroundFacts) -> str:
        return "best product state"

    def baseline_circuits(self, facts: GroundFacts) -> Mapping[str, Circuit]:
        return {
            "best product state": facts.product.circuit,
            "closest product state": facts.closest.circuit,
        }

    def rule(self, instance: TaskInstance, facts: GroundFacts) -> Circuit:
        """The tuned angles for the middle of the family's parameters, whatever its own are: the
        layers of the fewest that are within a thousandth there.
        """
        there = self._middle(instance)
        constant = None if there is None else constant_layers(there)
        return super().rule(instance, facts) if constant is None else constant

    def reference(self, instance: TaskInstance, facts: GroundFacts) -> str:
        def is_good(circuit: Circuit) -> bool:
            found = self.measure(circuit, facts)
            return self.success(found) and min(energy_part(found), fidelity_part(found)) >= _GOOD

        if isinstance(facts, ChainFacts):
            return program(chains.teach(facts))
        found = self._smooth(instance, facts, is_good, decimals=DECIMALS)
        if found is not None:
            layers, angles = found
            return program(real_layers(instance.num_qubits, layers).with_parameters(angles))
        return program(teach(facts.hamiltonian, facts.ground, is_good, seed=int(instance.key, 16)))

    def aimed(self, instance: TaskInstance) -> Mapping[str, float]:
        """Of a long chain the energy alone: to be found is what the reference promises there."""
        if instance.num_qubits > MAX_QUBITS:
            return {"energy": 1.0 - SHARE}
        return super().aimed(instance)

    def pieces(self, max_qubits: int) -> Iterable[Piece]:
        yield Piece("Task: ground state")
        yield Piece("Scale: ")
        yield Piece("\nH =")
        yield from (Piece(molecule_text(name)) for name in MOLECULES)
        yield from layer_pieces(max_qubits)

    def script(self, instance: TaskInstance, *, decimals: int) -> Script:
        return layers_script(instance.num_qubits, decimals=decimals)

    def worked(self, instance: TaskInstance, *, decimals: int) -> str | None:
        """The fewest layers that leave room for the errors of whoever learns them, else the fewest
        that are a success.
        """
        if instance.num_qubits > smooth.MAX_QUBITS:
            return None
        facts = self.facts(instance)
        for share in (_TAUGHT, 1.0):

            def is_good(circuit: Circuit, most: float = share * facts.tolerance) -> bool:
                found = self.measure(circuit, facts)
                return self.success(found) and found.energy - facts.ground.energy <= most

            found = self._smooth(instance, facts, is_good, decimals=decimals)
            if found is not None:
                return layers_text(instance.num_qubits, *found)
        return None

    def _smooth(
        self,
        instance: TaskInstance,
        facts: GroundFacts,
        is_good: Callable[[Circuit], bool],
        *,
        decimals: int,
    ) -> tuple[int, tuple[float, ...]] | None:
        there = self._middle(instance)
        if there is None:
            return None
        return smooth_layers(facts.hamiltonian, there, is_good, decimals=decimals)

    def _middle(self, instance: TaskInstance) -> PauliSum | None:
        """The Hamiltonian in the middle of the family's parameters."""
        middle = families.middle(instance.family, instance.num_qubits)
        if middle is None:
            return None
        return families.build(instance.family, middle, instance.num_qubits).hamiltonian

    def shortcuts(self, instance: TaskInstance, facts: GroundFacts) -> Mapping[str, Circuit]:
        n = instance.num_qubits
        found = {
            "no gates": Circuit(n, ()),
            "H on every qubit": Circuit(n, tuple(Gate("h", (q,)) for q in range(n))),
            "best product state": facts.product.circuit,
        }
        wrong = lowest_of_wrong_sector(facts.model)
        return found if wrong is None else {**found, "lowest state of a wrong sector": wrong}

    def second_opinion(
        self, instance: TaskInstance, circuit: Circuit, facts: GroundFacts
    ) -> str | None:
        """Dense diagonalisation of Qiskit's operator, and its state vector; to 10 qubits. Of long
        transverse-field Ising chains free fermions.
        """
        n = instance.num_qubits
        if isinstance(facts, ChainFacts):
            return chains.second_opinion(instance, facts)
        if n > _DENSE_QUBITS:
            return None
        from qiskit.quantum_info import SparsePauliOp, Statevector

        from quasar.circuits.to_qiskit import to_qiskit

        terms = [(t.letters, list(t.qubits), t.coefficient) for t in facts.hamiltonian.terms]
        operator = SparsePauliOp.from_sparse_list(terms, num_qubits=n)
        dense = operator.to_matrix()
        if facts.sector is not None:
            inside = facts.sector.nonzero()[0]
            dense = np.asarray(dense)[np.ix_(inside, inside)]
        levels = np.linalg.eigvalsh(dense)
        if abs(levels[0] - facts.ground.energy) > 1e-8:
            return f"E0 is {facts.ground.energy!r}, by dense diagonalisation {levels[0]!r}"
        same = int(np.count_nonzero(levels < levels[0] + 1e-8))
        if same != facts.ground.degeneracy:
            return f"the ground space has {facts.ground.degeneracy} dimensions, not {same}"
        energy = Statevector(to_qiskit(circuit)).expectation_value(operator).real
        if abs(energy - self.measure(circuit, facts).energy) > 1e-8:
            return f"the circuit's energy is {energy!r} by Qiskit"
        return ""

    def cost_baseline(self, facts: GroundFacts) -> int:
        """Two layers of the teacher's form: a chain of cx through all qubits each."""
        return max(1, 2 * (facts.hamiltonian.num_qubits - 1))

    def objective(self, facts: GroundFacts) -> PauliSum:
        return facts.hamiltonian

    def drawing(self, found: GroundFound) -> Mapping[str, Any]:
        return draw_levels(found)

    def warm_up(self) -> None:
        exact.warm_up_observables()
        eigensolver.warm_up()
