"""How a person states each family of Hamiltonians."""

from typing import Any

from quasar.tasks.base import ContentField, ContentForm
from quasar.tasks.ground_state.families import CUSTOM, parameter_names, possible_qubits
from quasar.tasks.ground_state.molecules import MOLECULES

_FEW = 4  # qubits of an example, where the family has them
_EQUILIBRIUM = {"lih": 1.6}  # ångström, about; of hydrogen 0.75
_PAULI_SUM = "-1*Z0*Z1 + -0.5*X0 + -0.5*X1"


def content_form(family: str) -> ContentForm:
    """Numbers of a lattice, the bond length of a molecule, or the terms."""
    if family == CUSTOM:
        return ContentForm({"hamiltonian": ContentField("pauli_sum")}, {"hamiltonian": _PAULI_SUM})
    if family in MOLECULES:
        value: Any = _EQUILIBRIUM.get(family, 0.75)
        field, size = ContentField("number"), None
    else:
        value = 1.0
        field = ContentField("numbers" if family == "heisenberg_chain" else "number")
        size = next(n for n in possible_qubits(family, 14) if n >= _FEW)
    names = parameter_names(family)
    return ContentForm(
        {f"parameters.{name}": field for name in names},
        {"parameters": dict.fromkeys(names, value)},
        size,
    )
