"""Makes the golden fixture anew: `python -m tests.golden.make PROBLEMS`.

PROBLEMS is the published benchmark's problem file (JSON lines). Writes `problems.jsonl` and
`figures.json` beside this file. The facts are taken from that file and nothing else; the figures
are computed from the facts by Quasar.
"""

import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from quasar.circuits.ansatz.recognition import recognise
from quasar.circuits.qasm import read_qasm
from quasar.config import RewardConfig, config_from_dict
from quasar.evaluation.evaluate import evaluate_rows
from quasar.evaluation.summary import Summary
from quasar.problems.hamiltonian import IsingHamiltonian
from quasar.simulation import get_simulator
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.reward import score
from quasar.verification.verifier import Verifier
from tests.golden import data

# Every primitive of the file, family and template; both orders of variables; small ones first.
CHOSEN = {
    "qaoa": (15, 28, 34, 73, 114, 149, 263, 301, 324, 483, 531),
    "vqe": (4, 16, 24, 26, 41, 84, 142, 167, 205, 247, 310, 334, 344, 372, 471, 574),
    "adaptive_vqe": (14, 46, 70, 192, 257, 259, 297, 316, 479, 544),
}
# The warm start takes most of the time and is no part of what is published here.
CONFIG = config_from_dict(
    {
        "verification": {"gradient_evaluations": 0},
        "evaluation": {"device": "none", "random_draws": 0},
    }
)
BASELINES = ("H on every qubit", "one optimal bitstring", "references")
PUBLISHED = RewardConfig(formula="published")
# column of a sample -> name of its figure
COLUMNS = {
    "published_scr": "scr",
    "published_re": "re",
    "published_srev": "srev_reversed",
    "srev": "srev",
    "published_hqcr": "hqcr",
    "at_least_reference": "at_least_reference",
}
# Where the reference has less than this, its simulator's rounding decides what is there.
DUST = 1e-20


def facts(published: Iterable[Mapping[str, Any]]) -> list[data.Row]:
    """The facts of the chosen rows of the published file, in its order."""
    chosen = {index for indices in CHOSEN.values() for index in indices}
    return [_facts(row) for row in published if row["sample_index"] in chosen]


def _facts(row: Mapping[str, Any]) -> data.Row:
    hamiltonian = IsingHamiltonian.from_text(row["cost_hamiltonian"], row["n_qubits"])
    found = recognise(row["reference_circuit"], hamiltonian)
    assert found is not None
    parameters = list(found.parameters)
    if found.family == "qaoa":
        parameters = [angle for angles in row["solution"]["params"] for angle in angles]
    exact = row["exact_solution"]
    made = {
        **{
            name: row[name]
            for name in (
                "sample_index",
                "problem_type",
                "optimization_type",
                "n_qubits",
                "n_layers",
                "graph",
                "problem_specific_attributes",
            )
        },
        "terms": [[coefficient, list(wires)] for coefficient, wires in hamiltonian.terms],
        "ansatz": found.ansatz.name,
        "layers": found.layers,
        "operators": [[name, *wires] for name, wires in getattr(found.ansatz, "operators", ())],
        "parameters": parameters,
        "program_sha256": data.sha256(row["reference_circuit"]),
        "expectation_value": row["solution"]["expectation_value"],
        "smallest_eigenvalue": exact["smallest_eigenvalues"][0],
        "number_of_smallest_eigenvalues": exact["number_of_smallest_eigenvalues"],
        "first_excited_energy": exact["first_excited_energy"],
        "smallest_bitstrings": exact["smallest_bitstrings"],
    }
    assert data.reference_circuit(made).to_qasm() == row["reference_circuit"]
    return made


def verifier() -> Verifier:
    """Of the published formula's signals."""
    return Verifier(CONFIG.verification, "published")


def signals(scorer: Verifier, index: int, text: str) -> dict[str, float | None]:
    """Reward of the published formula for an answer, and what it is made of."""
    report = scorer.verify(data.records()[index].problem, text)
    return {
        "reward": score(report, PUBLISHED).value,
        "delta": report.published.delta,
        "energy_score": report.published.energy_score,
        "utility": report.published.utility,
    }


def texts(row: data.Row) -> dict[str, str]:
    """The reference, and the answer of each rule."""
    reference = data.records()[row["sample_index"]].problem.reference_circuit
    return {"reference": reference} | {rule: make(row) for rule, make in data.RULES.items()}


def evaluate(directory: Path) -> tuple[Summary, list[dict[str, Any]]]:
    """The evaluation of the ten answers to each problem: its summary, and a row a sample."""
    answers = [
        (data.records()[row["sample_index"]], [make(row) for make in data.RULES.values()])
        for row in data.rows()
    ]
    samples = directory / "per_sample.parquet"
    summary = evaluate_rows(
        answers,
        config=CONFIG,
        verifiers=LocalVerifierPool(CONFIG.verification),
        baselines=BASELINES,
        per_sample=samples,
    )
    return summary, pq.read_table(samples).to_pylist()


def dust(row: data.Row, text: str) -> bool:
    """Whether RE of this answer is decided by rounding: it is where the reference never is."""
    simulator = get_simulator("exact", 1)
    at = simulator.probabilities(data.reference_circuit(row)) < DUST
    circuit = read_qasm(text)
    return bool(
        circuit.num_qubits == row["n_qubits"] and simulator.probabilities(circuit)[at].sum() > 1e-7
    )


def make_figures(directory: Path) -> dict[str, Any]:
    """All of `figures.json`, from `problems.jsonl`."""
    scorer = verifier()
    answers: dict[int, dict[str, dict[str, Any]]] = {
        row["sample_index"]: {
            rule: signals(scorer, row["sample_index"], text) for rule, text in texts(row).items()
        }
        for row in data.rows()
    }
    summary, samples = evaluate(directory)
    rules, rows = list(data.RULES), {row["sample_index"]: row for row in data.rows()}
    for sample in samples:
        index, rule = sample["sample_index"], rules[sample["sample"]]
        _check_apart(sample)
        answers[index][rule] |= {name: sample[column] for column, name in COLUMNS.items()}
        if sample["published_re"] is not None:
            text = data.RULES[rule](rows[index])
            answers[index][rule]["re_is_rounding"] = dust(rows[index], text)
    tables = {f"pass@{k}": table(summary, k) for k in (1, 10)}
    return {"tables": tables, "rules": by_rule(samples), "answers": answers}


def table(summary: Summary, k: int) -> dict[str, float]:
    """The published table's columns over all answers, four decimals as published."""
    found = {name: summary.get(name, group="published", k=k) for name in ("scr", "re", "hqcr")}
    found["srev_reversed"] = summary.get("srev", group="published", k=k)
    found |= {name: summary.get(name, k=k) for name in ("srev", "at_least_reference")}
    return {name: round(estimate.value, 4) for name, estimate in found.items()}


def by_rule(samples: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """The published table's columns for the answers of each rule."""
    samples, found = list(samples), {}
    for place, rule in enumerate(data.RULES):
        own = [sample for sample in samples if sample["sample"] == place]
        found[rule] = {}
        for column, name in COLUMNS.items():
            values = [float(s[column]) for s in own if s[column] is not None]
            values = [value for value in values if np.isfinite(value)]
            scale = 1.0 if name == "re" else 100.0
            found[rule][name] = round(scale * float(np.mean(values)), 4) if values else None
    return found


def _check_apart(sample: Mapping[str, Any]) -> None:
    """No answer is so near a cut that another processor's rounding would move it across."""
    divergence = sample["published_re"]
    assert divergence is None or abs(divergence - 0.1) > 1e-6, sample
    if sample["energy"] is not None:
        gap = sample["energy"] - sample["reference_energy"]
        assert abs(abs(gap) - 0.2) > 1e-6, sample


def main(source: Path) -> None:
    """Writes both files."""
    published = map(json.loads, source.read_text("utf-8").splitlines())
    lines = [json.dumps(row, separators=(",", ":")) for row in facts(published)]
    data.PROBLEMS.write_text("\n".join(lines) + "\n", "utf-8")
    with tempfile.TemporaryDirectory() as directory:
        made = make_figures(Path(directory))
    data.FIGURES.write_text(_text(made), "utf-8")


def _text(made: Mapping[str, Mapping[Any, Any]]) -> str:
    """JSON with a line for each table, rule and problem; nine decimals."""
    sections = []
    for name, section in made.items():
        lines = [f'"{key}": {json.dumps(_short(value))}' for key, value in section.items()]
        sections.append(f'"{name}": {{\n' + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(sections) + "\n}\n"


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _short(one) for name, one in value.items()}
    return round(value, 9) if isinstance(value, float) else value


if __name__ == "__main__":
    main(Path(sys.argv[1]))
