"""What `quasar convert` does: as `quasar.cli.commands.jobs`."""

import logging
from argparse import Namespace
from typing import TYPE_CHECKING

from quasar.cli.commands.sources import problem_argument
from quasar.cli.commands.verify import read_circuit
from quasar.cli.settings import existing, load
from quasar.errors import CircuitError, InputError, ProblemError

if TYPE_CHECKING:
    from quasar.circuits.circuit import Circuit
    from quasar.problems.hamiltonian import IsingHamiltonian

logger = logging.getLogger(__name__)


def convert(arguments: Namespace) -> None:
    """The program on stdout or in a file."""
    config = load(arguments)
    output = arguments.output
    if output is not None and not output.parent.is_dir():
        raise InputError(f"--output {output}: {output.parent} is no directory")
    verification = config.verification
    hamiltonian = _hamiltonian(arguments, max_qubits=verification.max_qubits)
    # One byte more than is taken, so that it can be said what is too long.
    text = read_circuit(arguments.circuit, max_bytes=verification.max_text_bytes + 1)
    from quasar.circuits.convert import convert as in_style
    from quasar.circuits.convert import other_style, style_of
    from quasar.circuits.extraction import extract_program
    from quasar.circuits.qasm import check_text, read_qasm
    from quasar.verification.limits import program_limits

    limits = program_limits(verification)
    try:
        check_text(text, limits)
        program = extract_program(text)
        circuit = read_qasm(program, limits)
        style = arguments.to or other_style(style_of(program))
        if hamiltonian is not None:
            _check_problem(circuit, hamiltonian, needed=style == "canonical")
        converted = in_style(program, style, hamiltonian=hamiltonian, limits=limits)
    except CircuitError as error:
        raise InputError(f"{arguments.circuit}: {error} ({error.kind})") from error
    if output is None:
        print(converted)
        return
    try:
        output.write_text(f"{converted}\n", "utf-8")
    except OSError as error:
        raise InputError(f"--output {output}: cannot be written: {error.strerror}") from error


def _hamiltonian(arguments: Namespace, *, max_qubits: int) -> "IsingHamiltonian | None":
    """Of the problem in words or of the row; None where neither is given."""
    words, file, index = arguments.problem, arguments.problems, arguments.index
    if words is not None and file is not None:
        raise InputError("give --problem in words or --problems with --index, not both")
    if (file is None) != (index is None):
        raise InputError("--problems and --index go together")
    if words is not None:
        from quasar.schema.verify import to_instance
        from quasar.schema.words.reader import read_problem

        stated = problem_argument(arguments, words)
        try:
            problem = read_problem(stated) if isinstance(stated, str) else stated
            return to_instance(problem, max_qubits=max_qubits).hamiltonian
        except ProblemError as error:
            raise InputError(f"--problem: {error}") from error
    if file is None:
        return None
    from quasar.datasets.io import find_row
    from quasar.datasets.records import ProblemRecord

    line, row = find_row(existing(file, "--problems"), index)
    try:
        record = ProblemRecord.from_dict(row, max_qubits=max_qubits)
    except InputError as error:
        raise InputError(f"{file} line {line}: {error}") from error
    return record.problem.hamiltonian


def _check_problem(circuit: "Circuit", hamiltonian: "IsingHamiltonian", *, needed: bool) -> None:
    """Raises InputError for a problem of another size; tells where it is of no use."""
    if circuit.num_qubits != hamiltonian.num_qubits:
        raise InputError(
            f"the program has {circuit.num_qubits} qubits, the problem {hamiltonian.num_qubits}; "
            "name the problem that the program is for"
        )
    from quasar.circuits.ansatz.recognition import recognise

    found = recognise(circuit, hamiltonian) if needed else None
    if needed and (found is None or found.family != "qaoa"):
        logger.info("the program is not QAOA of this problem; its gates are kept")
