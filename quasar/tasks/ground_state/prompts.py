"""What a model is asked: the Hamiltonian and the sector of an instance, in three styles."""

from typing import Any

from quasar.circuits.circuit import format_angle
from quasar.problems.pauli import PauliSum
from quasar.tasks.base import PromptMessages, PromptStyle, TaskInstance
from quasar.tasks.ground_state.families import FAMILIES, Model, Sector
from quasar.tasks.ground_state.molecules import MOLECULES

_SYSTEM = (
    "You write quantum circuits. Answer with one OpenQASM 3 program on the given number of qubits "
    "that measures every qubit at the end. The state before the measurement must have the lowest "
    "possible expectation value of the Hamiltonian."
)
_FREE_SYSTEM = (
    "You are an assistant for quantum computing. You answer with a valid OpenQASM 3 program that "
    "prepares the state asked for and measures every qubit at its end."
)
_WORDINGS = (
    "Prepare the ground state of the {name} on {n} qubits with an OpenQASM 3 circuit. {details}"
    "H = {h}.",
    "I need a {n}-qubit OpenQASM 3 program whose state has the lowest energy of H = {h}. It is the "
    "{name}. {details}",
    "Which circuit on {n} qubits brings the {name} to its lowest energy? {details}The Hamiltonian "
    "is {h}. Answer with OpenQASM 3.",
)
_MOST_SHOWN = 40  # terms of a molecule's Hamiltonian in a prompt, the largest: its name says all


def ask(instance: TaskInstance, model: Model, *, style: PromptStyle) -> PromptMessages:
    """The messages for an instance, whose Hamiltonian is the model's."""
    n = instance.num_qubits
    named = instance.family in MOLECULES
    text = terms_text(model.hamiltonian, most=_MOST_SHOWN if named else None)
    given = ", ".join(f"{k}={_shown(v)}" for k, v in instance.content.get("parameters", {}).items())
    if style == "compact":
        if named:  # the name says the sector, too
            (length,) = instance.content["parameters"].values()
            what = f"{molecule_text(instance.family)}{format_angle(length, 2)}"
        else:
            what = _compact(model.hamiltonian)
            if model.sector is not None:
                what += f"\nElectrons: {model.sector.up} {model.sector.down}"
        user = f"Task: ground state\nQubits: {n}\n{what}"
        return [{"role": "user", "content": user}]
    if style == "free":
        wording = _WORDINGS[int(instance.key, 16) % len(_WORDINGS)]
        words = f"Bond length {given.partition('=')[2]} Å. " if named else ""
        details = words + _sector_text(model.sector).strip()
        user = wording.format(
            name=FAMILIES[instance.family],
            n=n,
            h=text,
            details=details.strip() + " " if details.strip() else "",
        ).strip()
        return _messages(_FREE_SYSTEM, user)
    given = ", ".join(f"{k}={_shown(v)}" for k, v in instance.content.get("parameters", {}).items())
    user = (
        f"Task: ground state of {instance.family} on {n} qubits."
        + (f"\nWith: {given}" if given else "")
        + f"{_sector_text(model.sector)}\nMinimise H = {text}"
    )
    return _messages(_SYSTEM, user)


def molecule_text(name: str) -> str:
    """How a compact prompt begins to name a molecule; its bond length follows, in hundredths."""
    return f"Molecule: {name} "


def _compact(hamiltonian: PauliSum) -> str:
    """The scale, the largest coefficient's size, and the terms in its unit: two decimals, below 0.1
    three. The scale turns no angle.
    """
    terms = [term for term in hamiltonian.terms if term.word != "I"]
    scale = max(abs(term.coefficient) for term in terms)
    text = f"Scale: {scale:.3g}\nH ="
    for term in terms:
        unit = term.coefficient / scale
        text += f" {format_angle(unit, 3 if abs(unit) < 0.0995 else 2)} "
        text += term.word.replace("*", " ")
    return text


def terms_text(hamiltonian: PauliSum, *, most: int | None = None) -> str:
    """The terms as prompts write them: four digits each, the identity left out; with `most`, so
    many of the largest, and how many are not shown.
    """
    terms = [term for term in hamiltonian.terms if term.word != "I"]
    left_out = 0 if most is None else max(0, len(terms) - most)
    if left_out:
        least = sorted((abs(term.coefficient) for term in terms), reverse=True)[
            len(terms) - left_out
        ]
        terms = [term for term in terms if abs(term.coefficient) > least]
        left_out = sum(t.word != "I" for t in hamiltonian.terms) - len(terms)
    text = " + ".join(f"{term.coefficient:.4g}*{term.word}" for term in terms)
    return f"{text} + {left_out} smaller terms" if left_out else text


def _messages(system: str, user: str) -> PromptMessages:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(f"{v:g}" for v in value) + "]"
    return f"{value:g}"


def _sector_text(sector: Sector | None) -> str:
    if sector is None:
        return ""
    return (
        f"\nQubits of the first half hold {sector.up} electrons (spin up), those of the second "
        f"half {sector.down} (spin down)."
    )
