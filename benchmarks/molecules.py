"""Ground-state energies of a molecule along its bond, by a trained model.

    python benchmarks/molecules.py h2 --checkpoint runs/laptop-tasks [--samples 8] [--step 0.01]

At bond lengths in such steps (Å), those that training never draws told apart: the error of the best
of so many answers that the verifier picks, as written and after the tool `optimise` (50 gradient
evaluations each), beside the best product state and what as many evaluations make of random angles
in the same gates. Errors in millihartree above the energy of full configuration interaction in the
active space; chemical accuracy is 1.6.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quasar.config import QuasarConfig, load_config
from quasar.datasets.generation.generate import split_of
from quasar.datasets.task_records import TaskRecord
from quasar.episodes.generate import generate_file
from quasar.system.run_paths import RunPaths
from quasar.tasks import get_task
from quasar.tasks.base import TaskInstance
from quasar.tasks.ground_state.molecules import MOLECULES, bond_lengths
from quasar.verification.optimiser import Bounds
from quasar.verification.request import TaskRequest
from quasar.verification.task_optimiser import TaskOptimisationRequest, optimise_random_start
from quasar.verification.verifier import Verifier

TASK = get_task("ground_state")
ACCURACY_MHA = 1.6


def drawn(
    checkpoint: Path, instances: Sequence[TaskInstance], config: QuasarConfig, samples: int
) -> list[list[str]]:
    """The answers to each."""
    with tempfile.TemporaryDirectory() as place:
        problems, output = Path(place) / "problems.jsonl", Path(place) / "answers.jsonl"
        rows = [TaskRecord(i, one).to_dict() for i, one in enumerate(instances)]
        problems.write_text("".join(json.dumps(row) + "\n" for row in rows))
        generate_file(checkpoint, problems, samples=samples, output=output, config=config)
        return [json.loads(line)["completions"] for line in output.open()]


def errors(
    instance: TaskInstance, texts: Sequence[str], verifier: Verifier, evaluations: int, seed: int
) -> dict[str, float]:
    """mHa above E0, of the best of the answers by each way."""
    facts = verifier.tasks.facts(instance)
    bounds = Bounds.of(verifier.config, verifier.limits, evaluations)
    rng = np.random.default_rng((seed, int(instance.key, 16)))
    random = [optimise_random_start(text, instance, facts, bounds, rng) for text in texts]
    reports = {
        "model": [TaskRequest(instance, text).answer(verifier) for text in texts],
        "model, optimised": [
            TaskOptimisationRequest(instance, text, evaluations=evaluations).answer(verifier)
            for text in texts
        ],
        "random angles, optimised": [
            TaskRequest(instance, text).answer(verifier) for text in random if text is not None
        ],
    }
    lowest = facts.ground.energy
    found = {"product state": facts.product.value - lowest}
    for name, of in reports.items():
        energies = [r.task.figures["energy"] for r in of if r.valid and r.task is not None]
        # Without a valid answer there is the product state, which takes no model.
        found[name] = min(energies, default=facts.product.value) - lowest
    return {name: 1e3 * error for name, error in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("molecule", choices=sorted(MOLECULES))
    parser.add_argument("--checkpoint", type=Path, required=True, help="run directory")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--evaluations", type=int, default=50)
    parser.add_argument("--step", type=float, default=0.01, help="between bond lengths, ångström")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    args = parser.parse_args()

    run = RunPaths(args.checkpoint)
    config = load_config(str(run.config_file), [f"run.seed={args.seed}", *args.settings])
    shortest, *_, longest = bond_lengths(args.molecule)
    lengths = np.round(np.arange(shortest, longest + args.step / 2, args.step), 2).tolist()
    instances = [
        TASK.read(args.molecule, {"parameters": {"bond_length": length}}) for length in lengths
    ]
    fractions = {
        "validation_fraction": config.dataset.validation_fraction,
        "test_fraction": config.dataset.test_fraction,
    }
    held_out = [split_of(instance.key, **fractions) != "train" for instance in instances]
    texts = drawn(run.final_model, instances, config, args.samples)
    verifier = Verifier(config.verification)
    rows = [
        errors(instance, answers, verifier, args.evaluations, args.seed)
        for instance, answers in zip(instances, texts, strict=True)
    ]
    names = list(rows[0])
    print(f"{args.molecule}, best of {args.samples}, mHa above full CI in the active space")
    print("".join(f"{name:>26}" for name in ["bond length (Å)", *names]))
    for length, row, out in zip(lengths, rows, held_out, strict=True):
        told = f"held out {length:.2f}" if out else f"{length:.2f}"
        print(f"{told:>26}" + "".join(f"{row[name]:26.3f}" for name in names))
    shares = {
        "all": rows,
        "held out": [row for row, out in zip(rows, held_out, strict=True) if out],
    }
    for share, of in shares.items():
        print(f"{share}, {len(of)}")
        for what, summary in (("mean", np.mean), ("largest", np.max)):
            values = (summary([row[name] for row in of]) for name in names)
            print(f"{what:>26}" + "".join(f"{value:26.3f}" for value in values))
        within = (sum(row[name] <= ACCURACY_MHA for row in of) for name in names)
        print(f"{'within 1.6 mHa':>26}" + "".join(f"{count:26d}" for count in within))


if __name__ == "__main__":
    main()
