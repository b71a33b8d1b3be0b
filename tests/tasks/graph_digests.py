"""Digests of what the graph problems give: records, prompts, reports, rewards, an evaluation.

    python -m tests.tasks.graph_digests > tests/tasks/graph_digests.json

They were stored before there were other tasks; figures are exact to the last bit on x86-64.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quasar.circuits.circuit import Circuit, Gate
from quasar.config import RewardConfig, config_from_dict
from quasar.datasets.generation.generate import SPLITS, generate_dataset
from quasar.datasets.io import read_problems
from quasar.datasets.prompts import record_messages
from quasar.datasets.records import ProblemRecord
from quasar.evaluation.evaluate import evaluate_rows
from quasar.evaluation.summary import BEST_OF
from quasar.verification.execution.pool import LocalVerifierPool
from quasar.verification.observation import observation_text
from quasar.verification.reward import GAINS, score
from quasar.verification.verifier import Verifier

STORED = Path(__file__).with_suffix(".json")
# Of defaults, not of a preset, which may change for its own reasons.
CONFIG = config_from_dict(
    {
        "dataset": {
            "num_examples": 30,
            "max_qubits": 4,
            "primitives": [
                "vertex_cover",
                "hypermaxcut",
                "min_cut",
                "kclique",
                "graph_coloring",
            ],
            "ansatze": ["qaoa", "sim_2", "adaptive"],
            "num_workers": 1,
        },
        "evaluation": {"device": "none"},
        "verification": {"gradient_evaluations": 4},
    }
)
EVERY_PART = RewardConfig(weights={**dict.fromkeys(GAINS, 0.5), "two_qubit_cost": 0.25})
STYLES = ("structured", "free", "compact")


def answers(record: ProblemRecord) -> tuple[str, ...]:
    """The reference, and two that are worse."""
    n = record.problem.num_qubits
    plain = Circuit(n, tuple(Gate("h", (q,)) for q in range(n))).to_qasm()
    assert record.problem.reference_circuit is not None
    return record.problem.reference_circuit, plain, "for i in range(3): pass"


def plain(value: Any) -> Any:
    """Without what a clock gave, a place of this machine, and what came since."""
    if isinstance(value, dict):
        left_out = ("seconds", "estimated_s", "details", "circuits", "task", "parameters")
        kept = {k: v for k, v in value.items() if k not in left_out and not k.startswith(BEST_OF)}
        return {k: plain(v) for k, v in kept.items()}
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()).hexdigest()


def figures(directory: Path) -> Iterator[tuple[str, str]]:
    """(what, digest)."""
    settings = CONFIG
    dataset = generate_dataset(settings, directory, progress=False)
    records = []
    for split in SPLITS:
        text = dataset.path(split).read_text("utf-8")
        yield f"records of {split}", hashlib.sha256(text.encode()).hexdigest()
        records += read_problems(dataset.path(split))
    for style in STYLES:
        yield f"prompts, {style}", digest([record_messages(r, style=style) for r in records])
    verifier = Verifier(settings.verification)
    reports = [
        verifier.verify(r.problem, text, diagnose=True, draw=True)
        for r in records
        for text in answers(r)
    ]
    yield "reports", digest([report.to_dict() for report in reports])
    yield "observations", digest([observation_text(r, max_chars=600) for r in reports])
    for name, reward in (("defaults", settings.reward), ("every part", EVERY_PART)):
        yield f"rewards, {name}", digest([score(r, reward).to_dict() for r in reports])
    summary = evaluate_rows(
        [(record, answers(record)) for record in records[:12]],
        config=settings,
        verifiers=LocalVerifierPool(settings.verification),
        baselines=("H on every qubit", "references"),
    )
    yield "evaluation", digest(summary.to_dict())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        print(json.dumps(dict(figures(Path(made))), indent=1))
