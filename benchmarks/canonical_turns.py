"""One turn twice against an answer and its revision, canonical programs: `turns.py --style
canonical`.

A small model (preset `policy`, cut down) learns from streamed examples, most of them of two turns:
an honest but imperfect answer, what the tool says of it, a better one; the loss is on the second
answer's choices. Then, on new problems of sizes that it was trained on, each is answered once;
where the verifier is not satisfied, the second answer is drawn in one of two ways: another first
answer (the order of its plan is drawn), or a revision. Both have the same first answer, so that
their difference is that of the second. Rules stand beside them: what takes no learning makes of the
same first answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.canonical import energy_scale, normalised_terms
from quasar.circuits.qasm import read_qasm
from quasar.config import QuasarConfig, load_config, with_overrides
from quasar.datasets.canonical_answers import basis_state_answer, qaoa_answer
from quasar.datasets.compact import compact_messages
from quasar.datasets.generation.candidates import make_candidate
from quasar.datasets.generation.forms import draw_form
from quasar.datasets.io import read_problems
from quasar.datasets.plan import PartialAssignment
from quasar.datasets.revision import by_argument, restarted, slopes_of
from quasar.datasets.solver.quality import Quality, measure
from quasar.datasets.stream import cells_by_size
from quasar.episodes.episode import Episode
from quasar.episodes.runner import EpisodeRunner, verifying
from quasar.episodes.task import EpisodeTask
from quasar.pipeline.main_job import fine_tuned_run
from quasar.policy.engines.loading import load_engine
from quasar.policy.program_form import program_form
from quasar.problems.base import ProblemInstance
from quasar.verification.execution.pool import LocalVerifierPool

SETTINGS = [
    "run.name=canonical-turns", "dataset.num_examples=600", "dataset.max_qubits=10",
    "dataset.min_qubits=3", "dataset.num_workers=1",
    "policy.hidden_size=128", "policy.num_layers=4", "policy.num_attention_heads=4",
    "policy.intermediate_size=384",
    "sft.stream.examples=16000", "sft.stream.revisions=0.8", "sft.stream.fresh=0.75",
    "sft.loss=choices", "sft.batch_size=32", "sft.learning_rate=2.0e-3",
    "sft.checkpoint_every=100",
    "generation.constrained=true", "generation.max_response_tokens=2048",
    "generation.temperature=0.3", "verification.gradient_evaluations=0",
]  # fmt: skip
ANSWERS = 4  # independent ones, at most
QAOA, PLANNED = "QAOA", "other families"
_STREAM = 29
_STEP = 0.1  # of the rule that follows the gradient: radians a unit of slope
_LEVEL = 1e-6


@dataclass(frozen=True)
class Asked:
    """A new problem, and the form of the answer."""

    problem: ProblemInstance
    ansatz: str
    layers: int

    @property
    def group(self) -> str:
        """QAOA, or what prepares a basis state."""
        return QAOA if self.ansatz == "qaoa" else PLANNED


@dataclass
class Outcome:
    """Of one problem and one way to a second answer."""

    qualities: list[Quality] = field(default_factory=list)
    chosen: int = 0  # tokens that the grammar left open
    written: int = 0  # tokens of answers
    read: int = 0  # of the prompt, once, and of observations


def new_problems(config: QuasarConfig, known: set[str], number: int, group: str) -> list[Asked]:
    """Sizes are drawn evenly; none is of the training split."""
    rng, cells = np.random.default_rng([_STREAM, group == QAOA]), cells_by_size(config.dataset)
    settings, found = config.sft.stream, []
    while len(found) < number:
        size = cells[int(rng.integers(len(cells)))]
        cell = size[int(rng.integers(len(size)))]
        problem = make_candidate(cell, int(rng.integers(1 << 31)), 0)
        if problem.key in known or not normalised_terms(problem.hamiltonian):
            continue
        if problem.spectrum.optimal.size == problem.spectrum.energies.size:
            continue
        if group == QAOA:
            layers = config.dataset.layers
            found.append(Asked(problem, "qaoa", int(layers[int(rng.integers(len(layers)))])))
        else:
            form = draw_form(settings.ansatze, settings.layers, problem.num_qubits, rng)
            if form.ansatz != "sim_9":  # it prepares no basis state
                found.append(Asked(problem, form.ansatz, form.layers))
    return found


def episodes(
    config: QuasarConfig, model: Path, asked: Sequence[Asked], *, samples: int, turns: int
) -> list[list[Episode]]:
    """Of each problem so many, the same first answer whatever the number of turns."""
    order = "field" if turns > 1 else "varied"
    config = with_overrides(config, {"generation.max_turns": turns, "generation.plan_order": order})
    tool = LocalVerifierPool(config.verification, config.reward.formula)
    runner = EpisodeRunner(
        load_engine(model, config, device="cpu"),
        verifying(tool.verify, config.reward, config.generation),
        generation=config.generation,
    )
    tasks = []
    for number, one in enumerate(asked):
        messages = compact_messages(one.problem.hamiltonian, ansatz=one.ansatz, layers=one.layers)
        form = program_form(
            one.problem, ansatz=one.ansatz, layers=one.layers, settings=config.dataset
        )
        tasks += [
            EpisodeTask(one.problem, messages, number, s, (config.run.seed, number, s), form)
            for s in range(samples)
        ]
    found: list[Episode] = []
    each = 32 * samples
    for start in range(0, len(tasks), each):
        found += runner.run(tasks[start : start + each], weights_version=0)
    return [found[i : i + samples] for i in range(0, len(found), samples)]


def outcome(one: Asked, made: Sequence[Episode], *, until: float) -> Outcome:
    """Of answers in turn, up to the first whose circuit satisfies (`generation.satisfied_at`)."""
    result = Outcome(read=len(made[0].tokens.prompt_ids))
    for episode in made:
        for text in episode.texts:
            result.qualities.append(quality(one, text))
        result.chosen += int(episode.tokens.trained.sum())
        result.written += episode.counts.sampled
        result.read += episode.counts.response - episode.counts.sampled
        if enrichment(one, result.qualities[-1]) >= until:
            break
    return result


def quality(one: Asked, text: str) -> Quality:
    """Exact, of an answer that is valid."""
    return measure(one.problem, read_qasm(text))


def enrichment(one: Asked, found: Quality) -> float:
    """As the verifier has it."""
    spectrum = one.problem.spectrum
    uniform = spectrum.optimal.size / spectrum.energies.size
    return float(np.log2(max(found.optimum_probability, 1e-12) / uniform) / -np.log2(uniform))


def ruled(one: Asked, text: str, until: float) -> list[Quality]:
    """The first answer and what a rule makes of it where it does not satisfy: a gradient step, or
    the plan that begins with the qubit that has the most against its bit.
    """
    first = quality(one, text)
    if enrichment(one, first) >= until:
        return [first]
    hamiltonian = one.problem.hamiltonian
    if one.ansatz == "qaoa":
        found = recognise(text, hamiltonian)
        assert found is not None  # the grammar writes nothing else
        scale = energy_scale(hamiltonian)
        gammas, betas = np.split(np.array(found.parameters), 2)
        slopes = slopes_of(hamiltonian, (gammas * scale).tolist(), betas.tolist())
        moved = np.array([angle - _STEP * slope for _, angle, slope in slopes])
        angles = np.concatenate([moved[0::2] / scale, moved[1::2]])
        second = qaoa_answer(hamiltonian, angles.tolist(), decimals=2)
    else:
        terms, bits = normalised_terms(hamiltonian), prepared(one, text)
        weakest = by_argument(PartialAssignment(terms, len(bits), bits=bits))[0]
        _, ended = restarted(terms, bits, weakest)
        second = basis_state_answer(one.ansatz, ended, layers=one.layers, decimals=2)
        assert second is not None  # families that prepare none are not asked
    return [first, quality(one, second)]


def prepared(one: Asked, text: str) -> list[int]:
    """The bits of the basis state of an answer, qubit 0 first."""
    from quasar.simulation.statevector.encoding import encode
    from quasar.simulation.statevector.exact import probabilities

    state = int(np.argmax(probabilities(encode(read_qasm(text)))))
    return [state >> q & 1 for q in range(one.problem.num_qubits)]


def best(qualities: Sequence[Quality]) -> Quality:
    """What a user gets who lets the verifier choose."""
    return max(qualities, key=lambda found: found.approximation_ratio)


def compare(config: QuasarConfig, model: Path, known: set[str], number: int) -> Table:
    """Both ways and the rules, by group."""
    until = config.generation.satisfied_at
    table = Table(title=f"{number} new problems each; T = {config.generation.temperature}")
    for heading in ("", "ratio", "against one turn twice", "optimum, %", "against one turn twice",
                    "chosen", "written", "read"):  # fmt: skip
        table.add_column(heading, justify="left" if not heading else "right")
    for group in (QAOA, PLANNED):
        asked = new_problems(config, known, number, group)
        single = episodes(config, model, asked, samples=ANSWERS, turns=1)
        double = episodes(config, model, asked, samples=1, turns=2)
        same = [a[0].texts[0] == b[0].texts[0] for a, b in zip(single, double, strict=True)]
        if not all(same):  # the same draws, but sums that round otherwise
            print(f"{group}: {same.count(False)} first answers differ between the ways")
        rows = {
            f"{group}: one turn" + (f", {k} times" if k > 1 else ""): [
                outcome(one, made[:k], until=until) for one, made in zip(asked, single, strict=True)
            ]
            for k in range(1, ANSWERS + 1)
        }
        rows[f"{group}: an answer and its revision"] = [
            outcome(one, made, until=until) for one, made in zip(asked, double, strict=True)
        ]
        rows[f"{group}: an answer and a rule's"] = [
            Outcome(ruled(one, made[0].texts[0], until))
            for one, made in zip(asked, single, strict=True)
        ]
        against = rows[f"{group}: one turn, 2 times"]
        for name, outcomes in rows.items():
            table.add_row(name, *cells(outcomes, against))
        table.add_section()
    return table


def cells(outcomes: Sequence[Outcome], against: Sequence[Outcome]) -> list[str]:
    """Means with standard errors, differences problem by problem, and mean tokens."""

    def values(of: Sequence[Outcome], name: str) -> np.ndarray:
        chosen = [best(one.qualities) for one in of]
        if name == "ratio":
            return np.array([q.approximation_ratio for q in chosen])
        return np.array([100.0 * (q.optimum_probability > 0.5) for q in chosen])

    told = []
    for name, decimals in (("ratio", 4), ("optimum", 1)):
        here, there = values(outcomes, name), values(against, name)
        told += [spread(here, decimals), spread(here - there, decimals, sign="+")]
    tokens: list[Callable[[Outcome], int]] = [
        lambda one: one.chosen,
        lambda one: one.written,
        lambda one: one.read,
    ]
    return told + [f"{np.mean([of(one) for one in outcomes]):.1f}" for of in tokens]


def spread(values: np.ndarray, decimals: int, sign: str = "") -> str:
    """Mean ± standard error."""
    error = values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():{sign}.{decimals}f} ± {error:.{decimals}f}"


def run(overrides: Sequence[str], number: int) -> None:
    """Train, unless it is done, and compare."""
    config = load_config("policy", [*SETTINGS, *overrides])
    with fine_tuned_run(config) as (prepared_run, model, _):
        known = {record.problem.key for record in read_problems(prepared_run.split("train"))}
        Console(width=170).print(compare(prepared_run.config, model, known, number))
