"""The published rule as a tool: the given program's family and layers, the rule's own angles."""

import json
from dataclasses import replace

import numpy as np
import pytest

from quasar.circuits.ansatz import get_ansatz
from quasar.circuits.ansatz.adaptive import Adaptive
from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.canonical import normalised_terms, qaoa_program
from quasar.circuits.circuit import Circuit, Gate
from quasar.circuits.qasm import Limits, read_qasm
from quasar.cli.main import main
from quasar.config import GenerationConfig, RewardConfig, VerificationConfig
from quasar.datasets.generation.candidates import Cell, make_candidate
from quasar.datasets.published_rule import PublishedRuleRequest
from quasar.datasets.records import ProblemRecord
from quasar.datasets.solver import solve
from quasar.datasets.solver.published import is_accepted
from quasar.episodes.task import EpisodeTask
from quasar.episodes.tools import make_tools
from quasar.errors import InputError
from quasar.evaluation.published import PublishedEvaluator
from quasar.simulation.statevector.encoding import encode
from quasar.simulation.statevector.exact import ExactSimulator, probabilities
from quasar.tasks import get_task
from quasar.verification.execution.process import GuardedVerifier
from quasar.verification.observation import observation_text
from quasar.verification.optimiser import SKIPPED
from quasar.verification.verifier import Verifier

CONFIG = VerificationConfig()
VERIFIER = Verifier(CONFIG)
PROBLEM = make_candidate(Cell("vertex_cover", 4), seed=3, index=1)
H, N = PROBLEM.hamiltonian, PROBLEM.num_qubits


def built(name, layers):
    ansatz = Adaptive((("cry", (3, 2)), ("ry", (1,)))) if name == "adaptive" else get_ansatz(name)
    size = ansatz.num_parameters(H, layers=layers)
    angles = np.random.default_rng(7).uniform(-1, 1, size)
    return ansatz.build(H, angles, layers=layers, decimals=4).to_qasm()


PROGRAMS = {
    "qaoa": (built("qaoa", 2), 2),
    "canonical qaoa": (qaoa_program(N, normalised_terms(H), [0.4], [-0.2]), 1),
    "sim_2": (built("sim_2", 2), 2),
    "sim_13": (built("sim_13", 1), 1),
    "adaptive": (built("adaptive", 1), 1),
}


def asked(text, problem=PROBLEM, verifier=VERIFIER, evaluations=2000):
    return PublishedRuleRequest(problem, text, evaluations=evaluations).answer(verifier)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_circuit_is_the_rules_own_of_the_same_family_and_layers(name):
    program, layers = PROGRAMS[name]
    report = asked(program)
    found = report.optimised
    now = recognise(found.program, H)
    assert (now.family, now.layers) == (recognise(program, H).family, layers)
    assert now.template == recognise(program, H).template
    spread = probabilities(encode(read_qasm(found.program)))
    assert is_accepted(spread, PROBLEM.spectrum)
    assert found.improved
    assert 10 <= found.evaluations <= 2000
    assert report.expectation.energy == pytest.approx(float(spread @ PROBLEM.spectrum.energies))
    told = [*found.parameters.values()]
    if now.family == "qaoa":
        told = [found.parameters[f"{kind}{k + 1}"] for kind in "gb" for k in range(layers)]
    assert told == pytest.approx(now.parameters, abs=1e-4)
    assert found == asked(program).optimised  # drawn from problem and program alone


@pytest.mark.parametrize("name", ["qaoa", "adaptive"])
def test_it_is_within_a_tenth_of_a_bit_of_what_the_published_teacher_makes(name):
    """As HQCR counts; the adaptive family, which draws nothing, byte for byte."""
    program, layers = PROGRAMS[name]
    taught = solve(
        PROBLEM, ansatz=name, layers=layers, decimals=4, seed=5, teacher="published"
    ).circuit
    made = asked(program).optimised.program
    evaluator = PublishedEvaluator(PROBLEM, taught, Limits(), ExactSimulator().probabilities)
    assert evaluator.grade(made)["published_hqcr"]
    if name == "adaptive":
        assert made == taught.to_qasm()


def test_the_programs_own_angles_count_for_nothing_but_the_draw_of_the_start():
    near, far = (built("adaptive", 1), PROGRAMS["adaptive"][0].replace("ry(", "ry(1.5 + "))
    assert asked(near).optimised.program == asked(far).optimised.program


def test_where_there_is_no_circuit_the_program_stands_with_one_line_that_says_why():
    program, _ = PROGRAMS["sim_2"]
    bits = Circuit(N, (Gate("x", (0,)),)).to_qasm()
    hasty = Verifier(CONFIG.model_copy(update={"time_limit_s": 1e-6}))
    none = "the program is of none of the published families (qaoa, hardware_efficient, adaptive)"
    for report, reason in [
        (asked("no program"), "the program is not valid"),
        (asked(bits), none),
        (asked(built("ma_qaoa", 1)), none),
        (asked(program, evaluations=9), "in at most 9 gradient evaluations"),
        (asked(PROGRAMS["adaptive"][0], evaluations=10), "in at most 10 gradient evaluations"),
        (asked(program, verifier=hasty), "in at most 0 gradient evaluations"),
    ]:
        assert report.optimised is None
        assert reason in report.skipped[SKIPPED]
        told = observation_text(report, max_chars=400)
        assert told.startswith("not optimised: " if report.valid else "invalid (")
    assert asked(bits).expectation == VERIFIER.verify(PROBLEM, bits).expectation


def test_a_guarded_process_gives_the_same_report():
    request = PublishedRuleRequest(PROBLEM, PROGRAMS["sim_13"][0], evaluations=2000)
    with GuardedVerifier(CONFIG) as guarded:
        (far,) = guarded.verify([request])
    assert far.optimised == request.answer(VERIFIER).optimised


def test_a_run_asks_for_it_by_its_settings_and_other_tasks_are_refused():
    generation = GenerationConfig(
        tools=("verify", "optimise"), optimise_method="published", optimise_evaluations=700
    )
    _, tool = make_tools(RewardConfig(), generation)
    program, _ = PROGRAMS["qaoa"]
    task = EpisodeTask(PROBLEM, (), group=0, sample=0, stream=(0,))
    check = tool.check(task, program, may_follow=False)
    assert type(check) is PublishedRuleRequest
    assert check.evaluations == 700
    assert tool.submitted(program, check.answer(VERIFIER)) == asked(program).optimised.program
    instance = get_task("stabiliser").generate(
        np.random.default_rng(0), family="state", num_qubits=2
    )
    with pytest.raises(InputError, match="published rule has no circuits of task 'stabiliser'"):
        tool.check(replace(task, problem=instance), program, may_follow=False)


def test_answers_of_a_file_are_the_rules(tmp_path, capsys):
    """The command of docs/results.md with the model that ships, on a row of each kind."""
    taught = [
        solve(PROBLEM, ansatz=name, layers=1, decimals=4, seed=9, teacher="published")
        for name in ("qaoa", "sim_13", "adaptive")
    ]
    kinds = zip(taught, ("qaoa", "vqe", "adaptive_vqe"), strict=True)
    rows = [
        ProblemRecord(
            index, replace(PROBLEM, reference_circuit=solution.circuit.to_qasm()), kind, 1
        ).to_dict()
        | {"ansatz": solution.ansatz.name}
        for index, (solution, kind) in enumerate(kinds)
    ]
    problems, output = tmp_path / "problems.jsonl", tmp_path / "answers.jsonl"
    problems.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["--problems", str(problems), "--samples", "1", "--temperature", "0.3"]
    for setting in ("tools=[verify,optimise]", "optimise_method=published"):
        words += ["--set", f"generation.{setting}"]
    words += ["--set", "generation.optimise_evaluations=2000", "--output", str(output)]
    assert main(["generate", *words]) == 0, capsys.readouterr().err
    answers = [json.loads(line)["completions"][0] for line in output.read_text().splitlines()]
    assert [recognise(text, H).ansatz.name for text in answers[:2]] == ["qaoa", "sim_13"]
    assert answers[2] == taught[2].circuit.to_qasm()
    for text in answers:
        assert is_accepted(probabilities(encode(read_qasm(text))), PROBLEM.spectrum)
