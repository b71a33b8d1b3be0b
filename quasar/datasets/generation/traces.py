"""Multi-turn traces: a mistake, what the verification tool says of it, and the right circuit.

For supervised training of the tool loop. The mistakes are those that models make; the observation
is the real one, from the verifier that training uses; a pair is kept only where the mistake earns
less than the right circuit.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.qasm import read_qasm
from quasar.config import QuasarConfig
from quasar.datasets.io import read_problems, read_rows, write_json_rows
from quasar.datasets.prompts import record_messages
from quasar.datasets.records import ProblemRecord
from quasar.errors import CircuitError, InputError
from quasar.system.locks import held_file
from quasar.system.progress import progress_bar
from quasar.verification.execution.process import GuardedVerifier
from quasar.verification.observation import observation_text
from quasar.verification.report import Failed
from quasar.verification.request import VerificationClient, VerificationRequest
from quasar.verification.reward import score

logger = logging.getLogger(__name__)

LEAST_LOSS = 0.02  # of reward, for a mistake to be one
ATTEMPTS = 6  # to find such a mistake in a circuit
CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Trace:
    """One conversation: messages in order, the last one the corrected circuit."""

    sample_index: int
    mistake: str
    messages: tuple[dict[str, str], ...]  # system, user, assistant, tool, assistant
    rewards: tuple[float, float]  # of the mistake, of the correction

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "sample_index": self.sample_index,
            "mistake": self.mistake,
            "messages": list(self.messages),
            "rewards": list(self.rewards),
        }


def write_traces(
    problems: Path, output: Path, config: QuasarConfig, *, share: float, progress: bool = True
) -> int:
    """Traces for a seeded `share` of the rows of a problem file, to a JSONL file; their number.

    The file appears when it is whole. Raises InputError, also where another process writes it.
    """
    with held_file(output):
        return _write(problems, output, config, share=share, progress=progress)


def _write(
    problems: Path, output: Path, config: QuasarConfig, *, share: float, progress: bool
) -> int:
    records = [r for r in read_problems(problems) if r.problem.reference_circuit is not None]
    rng = np.random.default_rng([config.run.seed, _STREAM])
    chosen = sorted(rng.permutation(len(records))[: round(share * len(records))].tolist())
    written = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal written
        with GuardedVerifier(config.verification) as verifiers:
            for done, index in enumerate(chosen, start=1):
                trace = make_trace(records[index], verifiers, config)
                if trace is not None:
                    written += 1
                    yield trace.to_dict()
                advance_to(done)

    with progress_bar("traces", len(chosen), show=progress) as advance_to:
        write_json_rows(output, rows())
    return written


def read_traces(path: Path) -> list[Trace]:
    """Traces of a file that `write_traces` wrote. Raises InputError."""
    traces = []
    for line, row in read_rows(path):
        try:
            traces.append(
                Trace(
                    row["sample_index"],
                    row["mistake"],
                    tuple(row["messages"]),
                    tuple(row["rewards"]),
                )
            )
        except (KeyError, TypeError) as error:
            raise InputError(f"{path} line {line}: not a trace: {error}") from error
    return traces


def make_trace(
    record: ProblemRecord, verifiers: VerificationClient, config: QuasarConfig
) -> Trace | None:
    """A trace of one problem, the same one for the same seed; None where no mistake is found, or
    where the right circuit cannot be read or verified.
    """
    problem, right = record.problem, record.problem.reference_circuit
    assert right is not None  # no other record is chosen
    try:
        circuit = read_qasm(right)
    except CircuitError as error:
        logger.warning("sample_index %d has no trace: %s", record.sample_index, error)
        return None
    rng = np.random.default_rng([config.run.seed, _STREAM, record.sample_index])
    (report,) = verifiers.verify([VerificationRequest(problem, right)])
    if isinstance(report, Failed):
        logger.warning("sample_index %d has no trace: %s", record.sample_index, report.detail)
        return None
    earned = score(report, config.reward).value
    for _ in range(ATTEMPTS):
        name = list(MISTAKES)[rng.integers(len(MISTAKES))]
        wrong = MISTAKES[name](circuit, config.dataset.angle_decimals, rng)
        if wrong is None:
            continue
        # As in a rollout's first turn.
        (report,) = verifiers.verify([VerificationRequest(problem, wrong, diagnose=True)])
        if isinstance(report, Failed):
            continue
        lost = score(report, config.reward).value
        if lost > earned - LEAST_LOSS:
            continue
        limit = CHARS_PER_TOKEN * config.generation.max_observation_tokens
        messages = (
            *record_messages(record, style=config.dataset.prompts),
            {"role": "assistant", "content": wrong},
            {"role": "tool", "content": observation_text(report, max_chars=limit)},
            {"role": "assistant", "content": right},
        )
        return Trace(record.sample_index, name, messages, (lost, earned))
    return None


# Mistakes ----------------------------------------------------------------------------------------


def _wrong_qubit(circuit: Circuit, decimals: int, rng: np.random.Generator) -> str | None:
    """One qubit index is another one: the first outside the register in half of the cases."""
    place = int(rng.integers(len(circuit.gates)))
    gate = circuit.gates[place]
    others = [q for q in range(circuit.num_qubits) if q not in gate.qubits]
    outside = rng.random() < 0.5 or not others
    new = circuit.num_qubits if outside else others[rng.integers(len(others))]
    operand = int(rng.integers(len(gate.qubits)))
    qubits = tuple(new if i == operand else q for i, q in enumerate(gate.qubits))
    return _with_gate(circuit, place, Gate(gate.name, qubits, gate.params)).to_qasm(
        decimals=decimals
    )


def _wrong_angle(circuit: Circuit, decimals: int, rng: np.random.Generator) -> str | None:
    """One angle has the wrong sign, or is far off."""
    places = [i for i, gate in enumerate(circuit.gates) if any(gate.params)]
    if not places:
        return None
    place = places[rng.integers(len(places))]
    gate = circuit.gates[place]
    shift = float(rng.uniform(0.5, 2.5))
    angles = tuple(-a if rng.random() < 0.5 else a + shift for a in gate.params)
    return _with_gate(circuit, place, Gate(gate.name, gate.qubits, angles)).to_qasm(
        decimals=decimals
    )


def _missing_term(circuit: Circuit, decimals: int, rng: np.random.Generator) -> str | None:
    """One rotation is left out, with the cx ladder around it."""
    places = [i for i, gate in enumerate(circuit.gates) if gate.params]
    if not places:
        return None
    first = last = places[rng.integers(len(places))]
    gates = circuit.gates
    while (
        first > 0
        and last + 1 < len(gates)
        and gates[first - 1] == gates[last + 1]
        and gates[first - 1].name == "cx"
    ):
        first, last = first - 1, last + 1
    kept = gates[:first] + gates[last + 1 :]
    return Circuit(circuit.num_qubits, kept).to_qasm(decimals=decimals)


def _broken_syntax(circuit: Circuit, decimals: int, rng: np.random.Generator) -> str | None:
    """A line lost its semicolon, or the program ends in the middle of one."""
    lines = circuit.to_qasm(decimals=decimals).split("\n")
    place = int(rng.integers(4, len(lines)))
    if rng.random() < 0.5:
        lines[place] = lines[place].removesuffix(";")
        return "\n".join(lines)
    return "\n".join([*lines[:place], lines[place][: len(lines[place]) // 2]])


def _with_gate(circuit: Circuit, place: int, gate: Gate) -> Circuit:
    gates = circuit.gates
    return Circuit(circuit.num_qubits, (*gates[:place], gate, *gates[place + 1 :]))


_STREAM = 7  # apart from the other random streams of a run
MISTAKES: dict[str, Callable[[Circuit, int, np.random.Generator], str | None]] = {
    "wrong_qubit": _wrong_qubit,
    "wrong_angle": _wrong_angle,
    "missing_term": _missing_term,
    "broken_syntax": _broken_syntax,
}
