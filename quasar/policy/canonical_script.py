"""What a canonical answer may say to a problem, text by text: nearly all of it is forced.

Scripts (`quasar.tasks.writing`) of graph problems: QAOA leaves its 2p angles open. Templates and
the adaptive family leave the bits of the plan open: which qubit comes next, the terms that its line
restates, their field and the gates follow from them; a plan that revises an earlier answer leaves
the qubit open that it begins with, too. Where the published references are imitated,
angles and gates are open too. Bits are whole pieces of the tokenizer; angles
are, too, or they are spelt to the end of their line, as byte-level tokenizers can: texts tokenised
one by one are what the whole is tokenised to (`quasar.policy.spelling`). Other tasks bring their
own scripts, for tokenizers that have their pieces.
"""

from collections.abc import Generator
from functools import lru_cache

from quasar.circuits.canonical import HEADER, qaoa_program
from quasar.datasets.canonical_answers import basis_state_answer
from quasar.datasets.imitation import imitated_program
from quasar.datasets.plan import START, PartialAssignment, decision
from quasar.errors import InputError
from quasar.policy.pieces import constant, imitation_pieces
from quasar.policy.program_form import ProgramForm
from quasar.policy.spelling import SPELT, WHOLE, Frame, Spelling
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance
from quasar.tasks.writing import Script, Step, angle_texts

_OPEN = "0.0"  # an angle of the program that the script is made from


def script(form: ProgramForm, spelling: Spelling) -> Script | None:
    """The script of a form; None where it has none: its family is not named or not prepared in
    closed form, or its choices are not spelt alike wherever they stand.
    """
    if form.instance is not None:
        return _of_task(form.instance, form.decimals, spelling)
    if form.style != "canonical" or not form.terms:
        return None
    if form.ansatz == "qaoa":
        return _angles_by_one_token(form, spelling) or _angles_by_several(form, spelling)
    # Lines of qubits beyond those that the tokenizer was made for are not what a model was taught.
    needed = [decision(0), decision(1), f"{START}{form.num_qubits - 1}:"]
    if form.ansatz is None or not all(text in spelling.whole for text in needed):
        return None
    if form.imitated:
        return _imitated(form, form.ansatz) if _spells_gates(form, spelling) else None
    planned = _is_prepared(form.ansatz, form.num_qubits, form.layers)
    return _planned(form, form.ansatz) if planned else None


def _of_task(instance: TaskInstance, decimals: int, spelling: Spelling) -> Script | None:
    known = all(
        text in spelling.whole for text in _needed(instance.task, instance.num_qubits, decimals)
    )
    return get_task(instance.task).script(instance, decimals=decimals) if known else None


@lru_cache(maxsize=64)
def _needed(task: str, num_qubits: int, decimals: int) -> tuple[str, ...]:
    own = (piece.text for piece in get_task(task).pieces(num_qubits))
    return (*own, *angle_texts(decimals))


def _angles_by_one_token(form: ProgramForm, spelling: Spelling) -> Script | None:
    angles = tuple(text for text in angle_texts(form.decimals) if text in spelling.whole)
    heads = [constant(kind, layer) for layer in range(1, form.layers + 1) for kind in "gb"]
    known = angles and all(head in spelling.whole for head in heads)
    return _qaoa(form, WHOLE, angles) if known else None


def _angles_by_several(form: ProgramForm, spelling: Spelling) -> Script | None:
    choices = SPELT.choices(angle_texts(form.decimals))
    head = constant("g", 1).removesuffix(" ")
    # What stands behind a constant: the next one, or a gate's definition.
    known = all(spelling.keeps(head, choices, after) for after in (head, "gate cost"))
    return _qaoa(form, SPELT, angle_texts(form.decimals)) if known else None


def _qaoa(form: ProgramForm, frame: Frame, angles: tuple[str, ...]) -> Script:
    zeros = [0.0] * form.layers
    program = qaoa_program(form.num_qubits, form.terms, zeros, zeros)
    *parts, last = program.split(frame.opening + frame.choices([_OPEN])[0])
    choices = frame.choices(angles)
    for part in parts:
        yield Step(part + frame.opening, choices)
    yield Step(last, ())


def _planned(form: ProgramForm, ansatz: str) -> Script:
    bits = yield from _plan(form)
    program = basis_state_answer(ansatz, bits, layers=form.layers, decimals=form.decimals)
    assert program is not None  # by `_is_prepared`
    yield Step(program.removeprefix(HEADER), ())


def _imitated(form: ProgramForm, ansatz: str) -> Script:
    yield from _plan(form)
    yield from imitated_program(ansatz, form.num_qubits, layers=form.layers, decimals=form.decimals)


def _plan(form: ProgramForm) -> Generator[Step, str, list[int]]:
    """Returns the bits that it ends with."""
    text, order = HEADER, form.order
    if form.revises:
        heads = {f"{START}{q}:": q for q in range(form.num_qubits)}
        chosen = yield Step(HEADER, tuple(heads))
        text, order = "", (heads[chosen],)
    assignment = PartialAssignment(form.terms, form.num_qubits, order)
    while (qubit := assignment.next()) is not None:
        ends = {decision(bit): bit for bit in (0, 1)}
        if assignment.bits or not form.revises:
            text += f"{START}{qubit}:"
        text += assignment.worked(qubit)
        assignment.decide(qubit, ends[(yield Step(text, tuple(ends)))])
        text = ""
    return [assignment.bits[q] for q in range(form.num_qubits)]


def _spells_gates(form: ProgramForm, spelling: Spelling) -> bool:
    pieces = [piece.text for piece in imitation_pieces(form.num_qubits)]
    return all(text in spelling.whole for text in (*pieces, *angle_texts(form.decimals)))


@lru_cache(maxsize=1024)
def _is_prepared(ansatz: str, num_qubits: int, layers: int) -> bool:
    """Whether the family has every basis state in closed form: if one, then all."""
    try:
        answer = basis_state_answer(ansatz, [0] * num_qubits, layers=layers, decimals=1)
    except InputError:  # too few qubits for it
        return False
    return answer is not None
