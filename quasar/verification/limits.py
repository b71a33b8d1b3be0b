"""The configured limits on programs."""

from quasar.circuits.qasm import Limits
from quasar.config import VerificationConfig


def program_limits(verification: VerificationConfig) -> Limits:
    """Bytes, qubits and gates that a program may have."""
    return Limits(
        max_text_bytes=verification.max_text_bytes,
        max_qubits=verification.max_qubits,
        max_gates=verification.max_gates,
    )
