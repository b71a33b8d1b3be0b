"""Instances of the task: their content read from what a person gives, their models and facts."""

from collections.abc import Mapping
from typing import Any

from quasar.errors import ProblemError, TaskError
from quasar.problems.pauli import PauliSum
from quasar.simulation.eigensolver import GroundSpace, ground_space
from quasar.tasks.base import TaskInstance
from quasar.tasks.ground_state import chains, families
from quasar.tasks.ground_state.chains import ChainFacts
from quasar.tasks.ground_state.families import CUSTOM, MAX_QUBITS, MAX_SITES, Model, Sector
from quasar.tasks.ground_state.found import GroundFacts
from quasar.tasks.ground_state.sectors import read_sector, sector_states

NAME = "ground_state"
# A Hamiltonian whose ground state is (nearly) a product state asks for nothing.
LEAST_ROOM = 1e-3  # of Σ|c|, but the identity


def read_instance(
    task: str, family: str, content: Mapping[str, Any], *, num_qubits: int | None = None
) -> TaskInstance:
    """task: the name of the task that it is of. Raises TaskError for content that the family does
    not take.
    """
    if not isinstance(content, Mapping):
        raise TaskError(f"{task}: 'instance' is {content!r}, expected an object")
    allowed = ("hamiltonian", "sector") if family == CUSTOM else ("parameters",)
    for name in content:
        if name not in allowed:
            raise TaskError(
                f"{task}: 'instance.{name}' is not used by {family} (it takes: "
                f"{', '.join(allowed)}); take it out"
            )
    needed = allowed[0]
    if needed not in content:
        raise TaskError(f"{task}: 'instance.{needed}' is missing")
    if family == CUSTOM:
        return _read_custom(task, content, num_qubits)
    if not isinstance(content["parameters"], Mapping):
        raise TaskError(f"{task}: 'instance.parameters' must be an object")
    sizes = families.possible_qubits(family, MAX_SITES)
    if num_qubits is None:
        if len(sizes) != 1:
            raise TaskError(f"{task}: field 'n_qubits' is missing; {family} has any of {sizes}")
        (num_qubits,) = sizes
    if num_qubits not in sizes:
        raise TaskError(
            f"{task}: 'n_qubits' is {num_qubits}; {family} has " + ", ".join(map(str, sizes))
        )
    parameters = families.spelt_out(family, content["parameters"], num_qubits)
    instance = TaskInstance(task, family, num_qubits, {"parameters": parameters})
    model_of(instance)  # refuses what is wrong with the parameters
    if num_qubits > MAX_QUBITS:
        chains.require_ordinary(family, parameters, num_qubits)
    return instance


def model_of(instance: TaskInstance) -> Model:
    """Its Hamiltonian, sector and tolerance."""
    content = instance.content
    if instance.family == CUSTOM:
        sector = Sector(**content["sector"]) if "sector" in content else None
        return Model(PauliSum.from_text(content["hamiltonian"], instance.num_qubits), sector)
    return families.build(instance.family, content["parameters"], instance.num_qubits)


def facts_of(model: Model) -> GroundFacts:
    """What is exact of a model; of long chains as far as it is known."""
    if model.hamiltonian.num_qubits > MAX_QUBITS:
        return ChainFacts.of(model)
    return GroundFacts(model, _ground(model), sector_states(model))


def _read_custom(task: str, content: Mapping[str, Any], num_qubits: int | None) -> TaskInstance:
    text = content["hamiltonian"]
    if not isinstance(text, str):
        raise TaskError(f"{task}: 'instance.hamiltonian' must be text, e.g. 0.5*X0*X1 + -1*Z2")
    try:
        loosest = PauliSum.from_text(text, MAX_QUBITS)
        named = max((q + 1 for term in loosest.terms for q in term.qubits), default=0)
        num_qubits = named if num_qubits is None else num_qubits
        if not 1 <= num_qubits <= MAX_QUBITS:
            raise TaskError(f"{task}: 'n_qubits' is {num_qubits}, expected 1 to {MAX_QUBITS}")
        hamiltonian = PauliSum.from_text(text, num_qubits)
    except ProblemError as error:
        raise TaskError(f"{task}: 'instance.hamiltonian': {error}") from error
    found: dict[str, Any] = {"hamiltonian": hamiltonian.to_text()}
    if content.get("sector") is not None:
        found["sector"] = read_sector(content["sector"], num_qubits)
    instance = TaskInstance(task, CUSTOM, num_qubits, found)
    if (
        not hamiltonian.terms
        or facts_of(model_of(instance)).room <= LEAST_ROOM * hamiltonian.one_norm
    ):
        raise TaskError(
            f"{task}: 'instance.hamiltonian' has a ground state that is a product state: "
            "there is nothing to find"
        )
    return instance


def _ground(model: Model) -> GroundSpace:
    inside = sector_states(model)
    try:
        return ground_space(model.hamiltonian, None if inside is None else inside.nonzero()[0])
    except ProblemError:
        raise
    except Exception as error:
        raise TaskError(f"{NAME}: {error}") from error
