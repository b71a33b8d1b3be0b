"""A verification in this process: `quasar.verify`."""

from typing import Any

from quasar.circuits.foreign import program_of
from quasar.config import RewardConfig, VerificationConfig
from quasar.schema.sources import read_problem_from
from quasar.schema.verify import VerifyAnswer, VerifyRequest, to_answer, to_check


def verify(
    circuit: Any,
    problem: Any,
    /,
    primitive: str | None = None,
    *,
    diagnose: bool = True,
    config: VerificationConfig | None = None,
    reward: RewardConfig | None = None,
    **attributes: Any,
) -> VerifyAnswer:
    """The report and reward of a circuit for a problem. One that is not valid is an answer, too.

        quasar.verify(circuit, "max cut of 0-1:3 1-2:1 2-0:2").report

    circuit: OpenQASM 3 or 2 text, a circuit of Qiskit, PennyLane or pytket. problem, primitive,
    attributes: as `quasar.read_problem` takes them. config, reward: limits and weights, by default
    those of `quasar config show`. The circuit is simulated in this process, within its limits of
    size; programs of strangers belong to `quasar verify` or an endpoint, which end a process that
    takes too long. Raises ProblemError, InputError, and VerificationError for a fault.
    """
    from quasar.verification.request import answer_request

    config = config or VerificationConfig()
    reward = reward or RewardConfig()
    stated = read_problem_from(problem, primitive, **attributes)
    request = VerifyRequest(problem=stated, circuit=program_of(circuit), diagnose=diagnose)
    check = to_check(request, max_qubits=config.max_qubits)
    verifier = _verifier(config, reward.formula)
    result = answer_request(verifier, check, memory_limit_mb=config.memory_limit_mb)
    return to_answer(result, request, reward)


def _verifier(config: VerificationConfig, formula: str) -> Any:
    from quasar.verification.verifier import Verifier

    key = (config.model_dump_json(), formula)
    if key not in _VERIFIERS:
        _VERIFIERS.clear()  # one is kept: its compiled parts and the last problem
        _VERIFIERS[key] = Verifier(config, formula)
    return _VERIFIERS[key]


_VERIFIERS: dict[tuple[str, str], Any] = {}
