"""A program in the other style: published (gate by gate) or canonical (`canonical`).

Takes OpenQASM 3 text and, for QAOA, the Hamiltonian; gives text that prepares the same state up to
the rounding of what is printed. A program that is rewritten loses its comments.
"""

import re
from collections.abc import Sequence

from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.canonical import (
    CONVERTED_DECIMALS,
    energy_scale,
    gate_program,
    normalised_terms,
    qaoa_program,
)
from quasar.circuits.circuit import PUBLISHED_DECIMALS
from quasar.circuits.qasm import Limits, read_qasm
from quasar.config import StyleName
from quasar.problems.hamiltonian import IsingHamiltonian

# Possessive quantifiers (*+) keep matching linear in the text, which may be hostile.
_COMMENT = re.compile(r"//[^\r\n]*+|/\*.*?(?:\*/|\Z)", re.DOTALL)
_CANONICAL = re.compile(r"\b(?:const|gate)\b|=[ \t]*+measure[ \t]++\w++[ \t]*+;")
_NAMED_PARAMETER = re.compile(r"\bconst[ \t]++float\b")


def style_of(program: str) -> StyleName:
    """Canonical where it defines a constant or a gate, or measures its register at once; else
    published.
    """
    program = _COMMENT.sub(" ", program)
    return "canonical" if _CANONICAL.search(program) else "published"


def other_style(style: StyleName) -> StyleName:
    """The one that it is not."""
    return "published" if style == "canonical" else "canonical"


def convert(
    program: str,
    style: StyleName,
    *,
    hamiltonian: IsingHamiltonian | None = None,
    limits: Limits | None = None,
) -> str:
    """The program in the style; no newline at the end.

    A QAOA circuit of the Hamiltonian becomes named parameters and its terms; any other circuit, and
    QAOA without its Hamiltonian, keeps its gates, and what can be said at once is said at once. A
    canonical program whose parameters are named stays as it is, with the coefficients it prints.
    Raises CircuitError where the text is not a circuit.
    """
    circuit = read_qasm(program, limits)
    decimals = max(PUBLISHED_DECIMALS, CONVERTED_DECIMALS)
    if style == "published":
        return circuit.to_qasm(decimals=decimals)
    if _NAMED_PARAMETER.search(_COMMENT.sub(" ", program)):
        return program.strip()
    found = None if hamiltonian is None else recognise(circuit, hamiltonian)
    if found is None or found.family != "qaoa":
        return gate_program(circuit, decimals=decimals)
    scale = energy_scale(found.hamiltonian)
    gammas, betas = found.parameters[: found.layers], found.parameters[found.layers :]
    return qaoa_program(
        circuit.num_qubits,
        normalised_terms(found.hamiltonian, decimals=CONVERTED_DECIMALS),
        [gamma * scale for gamma in gammas],
        betas,
        decimals=CONVERTED_DECIMALS,
    )


def restate(
    programs: Sequence[str], style: StyleName, *, hamiltonian: IsingHamiltonian, limits: Limits
) -> dict[str, str]:
    """Those programs that are in another style, each with its text in this one.

    Raises CircuitError where one is not a circuit within the limits.
    """
    return {
        program: convert(program, style, hamiltonian=hamiltonian, limits=limits)
        for program in programs
        if style_of(program) != style
    }
