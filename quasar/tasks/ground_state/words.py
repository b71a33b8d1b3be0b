"""Ground states in a person's words: `ground state of a six-site Heisenberg chain`."""

from typing import Any

from quasar.tasks.ground_state.families import CUSTOM
from quasar.tasks.words import NUMBER, Words, refuse

TASK = "ground_state"
ACCEPTED = (
    "e.g. ground state of a 6-site Heisenberg chain (or XXZ chain, transverse-field Ising chain or "
    "ring, coupling=1 field=0.5, hydrogen molecule at 0.75 angstrom, or H = -1*Z0*Z1 + -0.5*X0)"
)
_CUE = r"\b(?:ground[- ]state(?: energy)?|lowest[- ]energy state|ground[- ]energy)\b"
_FACTOR = r"[XYZ]\d+"
_TERM = rf"{NUMBER}\s?\*\s?{_FACTOR}(?:\s?\*\s?{_FACTOR})*"
_LATTICES = {  # what is written -> (family, parameter -> value where none is given)
    r"\b(?:transverse[- ]field )?(?:ising|tfim)(?: model)?(?: on a)? (?:spin )?(chain|ring)\b": (
        "tfim",
        {"coupling": 1.0, "field": 1.0},
    ),
    r"\bxxz(?: model)?(?: on a)? (?:spin )?(chain)\b": (
        "xxz",
        {"coupling": 1.0, "anisotropy": 1.0},
    ),
}
_HEISENBERG = r"\bheisenberg(?: model)?(?: on a)? (?:spin )?chain\b"
_MOLECULES = {r"\b(?:h2|hydrogen)(?: molecule)?\b": ("h2", 4, 0.75),
              r"\b(?:lih|lithium hydride)(?: molecule)?\b": ("lih", 4, 1.5)}  # fmt: skip


def read_words(text: str) -> tuple[str, dict[str, Any], int | None, tuple[str, ...]] | None:
    """(family, content, qubits, notes); None where no ground state is asked for.

    Raises TaskError where one is, and not all of the text is understood.
    """
    words = Words(text)
    if (
        words.take(r"\b(?:ground[- ]state|lowest[- ]energy state|ground[- ]energy)(?: energy)?\b")
        is None
    ):
        return None
    found = _hamiltonian(words) or _molecule(words) or _chain(words)
    if found is None:
        refuse(TASK, "of which Hamiltonian is not understood", ACCEPTED)
    words.require_read(TASK, ACCEPTED)
    return found


def _hamiltonian(words: Words) -> tuple[str, dict[str, Any], int | None, tuple[str, ...]] | None:
    found = words.take(rf"(?:\bH\s*=\s*)?({_TERM}(?:\s*\+\s*{_TERM})*)", exact=True)
    if found is None:
        return None
    words.take(r"\bhamiltonian\b")
    text = "".join(found[1].split()).replace("+", " + ")
    return CUSTOM, {"hamiltonian": text}, words.size("qubit"), ()


def _molecule(words: Words) -> tuple[str, dict[str, Any], int | None, tuple[str, ...]] | None:
    for pattern, (family, n, usual) in _MOLECULES.items():
        if words.take(pattern) is None:
            continue
        length = words.take(rf"\b({NUMBER})\s?(?:å|a|angstroms?|ångströms?)?(?!\w)")
        words.take(r"\b(?:bond[- ]length|distance)\b")
        notes = () if length else (f"the bond length is {usual:g} angstrom, for none was given",)
        value = float(length[1]) if length else usual
        return family, {"parameters": {"bond_length": value}}, n, notes
    return None


def _chain(words: Words) -> tuple[str, dict[str, Any], int | None, tuple[str, ...]] | None:
    if words.take(_HEISENBERG) is not None:
        n = _sites(words)
        given = words.take(rf"\bcouplings?\s*=?\s*({NUMBER}(?:\s*,\s*{NUMBER})*)")
        values = [float(value) for value in given[1].split(",")] if given else [1.0]
        notes = () if given else ("all couplings are 1, for none was given",)
        couplings = values * (n - 1) if len(values) == 1 else values
        return "heisenberg_chain", {"parameters": {"couplings": couplings}}, n, notes
    for pattern, (family, usual) in _LATTICES.items():
        shape = words.take(pattern)
        if shape is None:
            continue
        n, parameters, notes = _sites(words), {}, []
        for name, value in usual.items():
            given = words.take(rf"\b{name}\s*=?\s*({NUMBER})")
            parameters[name] = float(given[1]) if given else value
            if given is None:
                notes.append(f"the {name} is {value:g}, for none was given")
        return f"{family}_{shape[1].lower()}", {"parameters": parameters}, n, tuple(notes)
    return None


def _sites(words: Words) -> int:
    n = words.size("site", "spin", "qubit")
    if n is None:
        refuse(TASK, "the number of sites is not said", ACCEPTED)
    return n
