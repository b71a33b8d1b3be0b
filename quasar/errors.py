"""Errors that cross a boundary. One sentence each: what is wrong, where, the hint."""


class QuasarError(Exception):
    """Base of all errors that the command line answers with one line and exit code 2."""


class ConfigError(QuasarError):
    """The configuration is not valid: unknown key, value out of range, unknown preset."""


class InputError(QuasarError):
    """A file or an argument cannot be used: missing, malformed (line named), of the wrong kind."""


class ProblemError(QuasarError):
    """A graph problem is not well posed: unknown primitive, missing attribute, too many qubits."""


class TaskError(ProblemError):
    """An instance of a task is not well posed: unknown task or family, a field that is missing."""


class CheckpointError(QuasarError):
    """A directory that should hold a model or a run does not."""


class EngineError(QuasarError):
    """A model gives no answer: its server is not reached or refuses, or its engine has failed."""


class StorageError(QuasarError):
    """A copy of a run cannot be written or read: credentials, network, a full disk."""


class TrainingError(QuasarError):
    """A run cannot go on: nothing to learn from, too many failed verifications, a lost learner."""


class VerificationError(QuasarError):
    """A verification gave no report: it came to a limit, or there is no verifier.

    kind: as in `quasar.verification.report.Failed`: "timeout", "memory", "worker" or "error".
    """

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind

    def __reduce__(self):
        return (VerificationError, (self.kind, str(self)))


class SimulationError(QuasarError):
    """A backend cannot run this circuit: too many qubits, or a Hamiltonian of another size."""


class SimulationMemoryError(SimulationError, MemoryError):
    """A simulation would need more memory than this process may take; raised before it starts."""


class CircuitError(QuasarError):
    """A program is not a circuit that we accept.

    kind: machine-readable class, one of the constants in `quasar.circuits.qasm`;
    line, column: 1-based position in the program text, None where it has none.
    """

    def __init__(self, kind: str, message: str, line: int | None = None, column: int | None = None):
        super().__init__(message)
        self.kind = kind
        self.line = line
        self.column = column

    def __reduce__(self):
        return (CircuitError, (self.kind, str(self), self.line, self.column))
