"""What `quasar run` does: as `quasar.cli.commands.jobs`."""

import dataclasses
import json
import logging
import math
from argparse import Namespace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from quasar.cli.commands.verify import read_circuit, read_request, require_one_problem
from quasar.cli.settings import load
from quasar.errors import CircuitError, ConfigError, InputError, ProblemError

if TYPE_CHECKING:
    from quasar.circuits.circuit import Circuit
    from quasar.config import QuasarConfig
    from quasar.problems.base import ProblemInstance
    from quasar.simulation.aer.backends import BackendRun, RunCost

logger = logging.getLogger(__name__)

_SHOWN = 4  # outcomes


def run(arguments: Namespace) -> None:
    """The cost before, then what was measured; with --dry-run the cost alone."""
    config = load(arguments)
    require_one_problem(arguments)
    if find_spec("qiskit_aer") is None:
        raise ConfigError('run needs Aer: pip install "quasar-rl[cpu]" (or gpu)')
    circuit, problem = _read(arguments, config)
    from quasar.simulation.aer.backends import BackendRun, open_backend, quantum_seconds

    backend = open_backend(arguments.backend)
    prepared = BackendRun(backend, circuit, mitigation=arguments.mitigation)
    cost = prepared.cost(arguments.shots)
    told: dict[str, Any] = {"backend": arguments.backend, "remote": prepared.remote}
    told["cost"] = dataclasses.asdict(cost) | _price(cost, arguments.price)
    if not arguments.json:
        _print_cost(told, cost)
    seconds = quantum_seconds(cost)
    if not arguments.dry_run:
        if prepared.remote and seconds > arguments.max_seconds:
            raise InputError(
                f"--backend {arguments.backend}: {seconds:.1f} s of the device are above "
                f"--max-seconds {arguments.max_seconds:g}; take fewer --shots or raise it"
            )
        told |= _carry_out(arguments, config, prepared, circuit, problem)
    if arguments.json:
        print(json.dumps(told, indent=1))
    elif not arguments.dry_run:
        _print_found(told)


def _read(arguments: Namespace, config: "QuasarConfig") -> "tuple[Circuit, ProblemInstance]":
    """Both, under the limits of the verifier and of one size. Raises InputError."""
    verification = config.verification
    text = read_circuit(arguments.circuit, max_bytes=verification.max_text_bytes + 1)
    from quasar.circuits.extraction import extract_program
    from quasar.circuits.foreign import program_of
    from quasar.circuits.qasm import check_text, read_qasm
    from quasar.datasets.task_records import is_task_row
    from quasar.schema.verify import to_problem
    from quasar.verification.limits import program_limits

    limits = program_limits(verification)
    try:
        program = program_of(text)
        check_text(program, limits)
        circuit = read_qasm(extract_program(program), limits)
    except CircuitError as error:
        raise InputError(f"{arguments.circuit}: {error} ({error.kind})") from error
    request, where = read_request(arguments, program)
    if is_task_row(request.row):
        raise InputError(f"{where}: a task's row; quasar run takes graph problems")
    try:
        problem = to_problem(request, max_qubits=verification.max_qubits)
    except (InputError, ProblemError) as error:
        raise InputError(f"{where}: {error}") from error
    if circuit.num_qubits != problem.num_qubits:
        raise InputError(
            f"{arguments.circuit} has {circuit.num_qubits} qubits, the problem "
            f"{problem.num_qubits}; give the problem that the circuit is for"
        )
    return circuit, problem


def _carry_out(
    arguments: Namespace,
    config: "QuasarConfig",
    prepared: "BackendRun",
    circuit: "Circuit",
    problem: "ProblemInstance",
) -> dict[str, Any]:
    from quasar.verification.readout import SampledReadout
    from quasar.verification.stages.distribution import measure_distribution
    from quasar.verification.verifier import Verifier

    job = prepared.submit(shots=arguments.shots, seed=arguments.seed)
    logger.info("job %s on %s", job.id, arguments.backend)
    outcomes = job.outcomes()
    found = prepared.mitigated(outcomes, problem.hamiltonian)
    verifier = Verifier(config.verification)
    facts = verifier.facts(problem)
    extremes = facts.extremes
    signals = measure_distribution(SampledReadout(found.raw, outcomes[0], facts), facts)
    exact = verifier.read_out(circuit, facts).energy().value
    width = extremes.maximum - extremes.minimum

    def shown(value: float, error: float = 0.0) -> dict[str, float | None]:
        # mitigation may leave the spectrum; a ratio does not
        ratio = (extremes.maximum - value) / width if width else 1.0
        return {
            "energy": value,
            "standard_error": error if math.isfinite(error) else None,
            "approximation_ratio": min(1.0, max(0.0, ratio)),
        }

    estimates = {
        "read": found.raw,
        "readout_mitigated": found.readout_mitigated,
        "zero_noise": found.zero_noise,
    }
    return {
        "job": job.id,
        "noiseless": shown(exact),
        **{k: shown(e.value, e.standard_error) for k, e in estimates.items() if e is not None},
        "optimum_probability": signals.optimum_probability,
        "uniform_optimum_probability": signals.uniform_optimum_probability,
        "feasible_probability": signals.feasible_probability,
        "outcomes": [dataclasses.asdict(one) for one in signals.most_probable],
    }


def _price(cost: "RunCost", per_second: float | None) -> dict[str, float | None]:
    if per_second is None or cost.quantum_s is None:
        return {}
    return {"price": per_second * cost.quantum_s}


def _print_cost(told: dict[str, Any], cost: "RunCost") -> None:
    times = "no gate times told"
    if cost.duration_s is not None and cost.quantum_s is not None:
        times = f"{1e6 * cost.duration_s:.2f} µs a shot, {cost.quantum_s:.2f} s of the device"
    price = told["cost"].get("price")
    print(f"backend    {told['backend']} ({'remote' if told['remote'] else 'simulated here'})")
    print(
        f"circuit    {cost.qubits} qubits, {cost.two_qubit_gates} two-qubit gates, depth "
        f"{cost.depth}; no fault with probability {cost.success:.3f}"
    )
    print(
        f"cost       {cost.circuits} circuit{'s' * (cost.circuits > 1)} × {cost.shots} shots; "
        f"{times}" + (f"; price {price:.2f}" if price is not None else "")
    )


def _print_found(told: dict[str, Any]) -> None:
    print(f"job        {told['job']}")
    for name in ("noiseless", "read", "readout_mitigated", "zero_noise"):
        if name in told:
            one = told[name]
            error = "" if name == "noiseless" else f" ± {one['standard_error'] or math.inf:.4f}"
            print(
                f"{name.replace('_', ' '):18} energy {one['energy']:.4f}{error}, "
                f"approximation ratio {one['approximation_ratio']:.4f}"
            )
    print(
        f"P(optimum) {told['optimum_probability']:.4f} "
        f"(uniform {told['uniform_optimum_probability']:.4f})"
    )
    for one in told["outcomes"][:_SHOWN]:
        quality = "optimal" if one["optimal"] else "not optimal"
        print(f"  {one['bitstring']}  {one['probability']:.4f}  {quality}  {one['answer']}")
