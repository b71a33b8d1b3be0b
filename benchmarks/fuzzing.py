"""Cases for the fuzzer: which text has which number, and what the verification makes of it.

`Cases` gives the text of case k of a seed: a random program, a mutated program, a mutated real
answer, or a heap of tokens. Each depends on (seed, k, corpus) alone, so that it can be replayed.
"""

import re
from collections.abc import Sequence
from random import Random

import numpy as np
from grammar import write_program

from quasar.circuits import qasm
from quasar.circuits.circuit import STANDARD_GATES, Circuit, Gate
from quasar.circuits.qasm.tokens import KEYWORDS
from quasar.problems import ProblemInstance, build_instance
from quasar.simulation.stabiliser.tableau import NOT_CLIFFORD
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance
from quasar.verification.request import ReportRequest, VerificationResult, request_of
from quasar.verification.reward import Failed

MAX_QUBITS = 6  # of the problems that cases are verified against
KINDS = frozenset(getattr(qasm, name) for name in qasm.__all__ if name.isupper()) | {NOT_CLIFFORD}
_KINDS_OF_CASE = ("program", "mutated program", "mutated answer", "tokens")
_WEIGHTS = (30, 20, 40, 10)
_QUBITS = re.compile(r"(?:qubit\s*\[|qreg\s+\w+\s*\[)\s*([0-9]{1,2})\s*\]")
_TOKEN = re.compile(r"\s+|//[^\n]*|[A-Za-z_]\w*|[0-9][\w.]*|[^\w\s]")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?")
_EXTREMES = (
    "0", "-1", "-0.0", "1e999", "1e308", "1e-320", "9" * 30, "9" * 400, "0x" + "f" * 99, "2**30",
    "1/0", "0/0", "pi/0", "sqrt(-1)", "nan", "inf", "9**9**9", "0.1" + "0" * 999, "1_0", "1__0", "",
)  # fmt: skip
_PIECES = (
    *sorted(KEYWORDS), *sorted(STANDARD_GATES), *_EXTREMES, *"()[]{};,@.:=+-*/%<>!~&|^#$\"'\\`",
    "**", "->", "++", "//", "/*", "*/", "==", "<<", ">>", "&&", "||", "q", "c", "q[0]", "c[0]",
    "pi", "sin(", "ctrl(2) @", "pow(0.5) @", "inv @", "3.0;", "stdgates.inc",
    "\"stdgates.inc\"", "$0",
    "#pragma x\n", "@note\n", "```", "```qasm\n", "<think>", "</think>", "\n", "\r\n", "\t", "\0",
    "\ufeff", "\u200b", "\u202e", "\udc80", "\u04bb", "π", "é", "e\u0301", "\U0001f600",
)  # fmt: skip
_HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nbit[3] c;\nqubit[3] q;\n'
SEEDS = (
    Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1)), Gate("rz", (1,), (0.5,)))).to_qasm(),
    f"Here it is; enjoy.\n\n```qasm\n{_HEADER}h q;\nc = measure q;\n```\nIt is optimal; truly.",
    "<think>OPENQASM 3.0; no</think>\n" + _HEADER + "// QAOA\nrx(-3*pi/4) q[1];\nc = measure q;",
    _HEADER + "gate zz(t) a, b { cx a, b; rz(2*t) b; cx a, b; }\nzz(pi/8) q[0], q[1];\n"
    "const float k = 0.1;\nrx(2*k) q;\nctrl @ rz(k**2) q[2], q[0];\npow(0.5) @ x q[1];\n"
    "let a = q[0:1] ++ q[2:2];\nh a;\nc[0:2] = measure a;",
    _HEADER + "for int i in [0:2] { h q[i]; }\nif (c[0] == 1) { x q[0]; }\nreset q;",
    'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\nmeasure q -> c;',
)  # fmt: skip


class Cases:
    """The cases of one seed. corpus: real answers to mutate, beside the seeds here. task: that they
    are verified against; default: graph problems.
    """

    def __init__(self, seed: int, corpus: Sequence[str] = (), task: str | None = None):
        self._seed = seed
        self._corpus = (*SEEDS, *corpus)
        sizes = range(1, MAX_QUBITS + 1)
        if task is None:
            self._problems = {n: [_problem(n)] for n in sizes}
        else:
            self._problems = {n: some for n in sizes if (some := _instances(task, n))}

    def check(self, number: int) -> ReportRequest:
        """A case, against a problem of as many qubits as the text seems to declare; where there is
        none of that size, of three.
        """
        random = Random(f"{self._seed}:{number}")
        text = self._text(random)
        sizes = [int(size) for size in _QUBITS.findall(text)[:2]]
        some = self._problems.get(sum(sizes)) or self._problems[3]
        return request_of(some[number % len(some)], text, diagnose=number % 2 == 0)

    def _text(self, random: Random) -> str:
        kind = random.choices(_KINDS_OF_CASE, _WEIGHTS)[0]
        if kind == "program":
            return write_program(random).text
        if kind == "tokens":
            some = [random.choice(_PIECES) for _ in range(random.randint(0, 60))]
            return (_HEADER if random.random() < 0.7 else "") + " ".join(some)
        if kind == "mutated program":
            return mutate(random, write_program(random).text, self._corpus)
        return mutate(random, random.choice(self._corpus), self._corpus)


def verdict(result: VerificationResult) -> str:
    """The kind of a case's answer: "valid", of the refusal, or "fault: …" for what must not be."""
    if isinstance(result, Failed):
        return f"fault: {result.kind}: {result.detail}"
    if result.valid:
        return "valid"
    if result.error.kind not in KINDS:
        return f"fault: unnamed refusal {result.error.kind!r}"
    return result.error.kind


def mutate(random: Random, text: str, others: Sequence[str]) -> str:
    """The text with one to four accidents."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        text = random.choice(_MUTATIONS)(random, text, others)
    return text


def change_tokens(random: Random, text: str, _others: Sequence[str] = ()) -> str:
    """One token deleted, doubled, swapped with another, or replaced."""
    tokens = _TOKEN.findall(text)
    if not tokens:
        return text
    at, other = random.randrange(len(tokens)), random.randrange(len(tokens))
    kind = random.randrange(4)
    if kind == 0:
        del tokens[at]
    elif kind == 1:
        tokens.insert(at, tokens[at])
    elif kind == 2:
        tokens[at], tokens[other] = tokens[other], tokens[at]
    else:
        tokens[at] = random.choice(_PIECES)
    return "".join(tokens)


def change_number(random: Random, text: str, _others: Sequence[str] = ()) -> str:
    """One number replaced by an extreme one."""
    numbers = list(_NUMBER.finditer(text))
    if not numbers:
        return text
    found = random.choice(numbers)
    return text[: found.start()] + random.choice(_EXTREMES) + text[found.end() :]


def _splice(random: Random, text: str, others: Sequence[str]) -> str:
    """A part of another text put in, or put in place of the rest."""
    other = random.choice(others)
    at, start = random.randint(0, len(text)), random.randint(0, len(other))
    part = other[start : start + random.randint(0, 400)]
    return text[:at] + part + (text[at:] if random.random() < 0.7 else "")


def _flip_bytes(random: Random, text: str, _others: Sequence[str]) -> str:
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(random.randint(1, 3) if data else 0):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return data.decode("utf-8", "surrogateescape")


def _truncate(random: Random, text: str, _others: Sequence[str]) -> str:
    at = random.randint(0, len(text))
    return text[:at] if random.random() < 0.8 else text[at:]


def _repeat(random: Random, text: str, _others: Sequence[str]) -> str:
    """A part of the text many times over; now and then beyond the limit on text."""
    start = random.randint(0, len(text))
    part = text[start : start + random.randint(1, 30)]
    times = random.choice((2, 3, 10, 100, 100, 1_000, 10_000))
    return text[:start] + part * times + text[start:]


_MUTATIONS = (
    change_tokens, change_tokens, change_tokens, change_number, _splice, _flip_bytes,
    _truncate, _repeat,
)  # fmt: skip


def _instances(task: str, num_qubits: int) -> list[TaskInstance]:
    """One of each family."""
    found, rng = get_task(task), np.random.default_rng(num_qubits)
    return [
        found.generate(rng, family=family, num_qubits=num_qubits)
        for family in found.families
        if num_qubits in found.possible_qubits(family, num_qubits)
    ]


def _problem(num_qubits: int) -> ProblemInstance:
    """An open chain with a field, on that many qubits."""
    terms = [f"{1 + q / 8} * Z({q})" for q in range(num_qubits)]
    terms += [f"-0.5 * (Z({q}) @ Z({q + 1}))" for q in range(num_qubits - 1)]
    reference = Circuit(num_qubits, ()).to_qasm()
    return build_instance(
        "chain", {}, hamiltonian_text=" + ".join(terms), reference_circuit=reference
    )
