"""Ansatz families, and the one registry that names them.

`get_ansatz(name).build(hamiltonian, parameters, layers=p)` is the way from parameters to a circuit,
`quasar.circuits.ansatz.recognition.recognise` the way back. The names stand in prompts and in data
files: they are never changed.
"""

import difflib

from quasar.circuits.ansatz.adaptive import Adaptive
from quasar.circuits.ansatz.base import Ansatz, ParameterisedCircuit
from quasar.circuits.ansatz.hardware_efficient import TEMPLATES
from quasar.circuits.ansatz.qaoa import MultiAngleQaoa, Qaoa
from quasar.errors import InputError

# qaoa, ma_qaoa, sim_1 to sim_19, adaptive.
_ANSATZE = {ansatz.name: ansatz for ansatz in (Qaoa(), MultiAngleQaoa(), *TEMPLATES, Adaptive())}

__all__ = [
    "Ansatz",
    "ParameterisedCircuit",
    "ansatz_names",
    "get_ansatz",
]


def ansatz_names() -> tuple[str, ...]:
    """The names of all families; each hardware-efficient template has its own."""
    return tuple(_ANSATZE)


def get_ansatz(name: str) -> Ansatz:
    """The family of that name; InputError with the nearest valid name otherwise.

    "adaptive" has no operators yet: `Adaptive.with_operators` adds them.
    """
    try:
        return _ANSATZE[name]
    except (KeyError, TypeError):
        near = difflib.get_close_matches(str(name), _ANSATZE, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise InputError(f"unknown ansatz {name!r}; {hint}(valid: {', '.join(_ANSATZE)})") from None
