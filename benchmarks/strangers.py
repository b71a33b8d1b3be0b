"""A stranger's first questions, each answered here with so many candidates.

    python benchmarks/strangers.py [--checkpoint DIR] [--samples 16] [--seed 0]

Prints, for every question, how many candidates are valid, whether the answer decodes and is
optimal, and the seconds; then the shares. Default: the model that comes with the package.
"""

import argparse
import random
import time
from pathlib import Path

from quasar.client import CircuitAnswer
from quasar.config import load_config
from quasar.errors import InputError
from quasar.schema.circuits import CircuitRequest
from quasar.serving.local import answer_here
from quasar.system.run_paths import RunPaths, model_directory
from quasar.system.shipped import shipped_run


def random_edges(nodes: int, share: float) -> str:
    rng = random.Random(12)
    pairs = [(a, b) for a in range(nodes) for b in range(a + 1, nodes)]
    return " ".join(f"{a}-{b}" for a, b in pairs if rng.random() < share)


QUESTIONS = {
    "star of 4, vertex cover": "minimum vertex cover of 0-1 0-2 0-3",
    "triangle, max cut": "max cut of 0-1 1-2 2-0",
    "weighted square, max cut": "max cut of 0-1:1 1-2:2 2-3:3 3-0:4",
    "newcomer's graph": "max cut of 0-1 1-2 2-3 3-0 0-2:3",
    "P2": "max cut of 0-1",
    "P3": "vertex cover of 0-1 1-2",
    "square 1-4": "max cut of 1-2 2-3 3-4 4-1",
    "square A-D": "max cut of A-B B-C C-D D-A",
    "Petersen graph": "max cut of the Petersen graph",
    "12 nodes, random": f"max cut of {random_edges(12, 0.3)}",
    "knapsack of 5": "knapsack, capacity 10, weights 2 3 4 5 6, values 3 4 5 8 9",
    "independent set": "maximum independent set of 0-1 1-2 2-3 3-4 4-0",
    "min cut": "minimum cut from 0 to 3 of 0->1:3 0->2:2 1->3:2 2->3:3",
    "max flow": "maximum flow from 0 to 3 of 0->1:1 0->2:1 1->3:1 2->3:1",
    "partition": "partition 3 1 1 2 2 1",
    "colouring": "graph coloring with 2 colors of 0-1 1-2 2-3",
    "clique": "3-clique in 0-1 1-2 2-0 2-3",
    "edge cover": "edge cover of 0-1 1-2 2-3 3-0",
    "matching": "maximum matching of 0-1:3 1-2:5 2-3:4 3-4:1",
    "hypergraph cut": "hypermaxcut of {0,1,2} {2,3} {1,3}",
    "exact cover": "exact cover of {0,1} {2,3} {1,2} {0,3}",
    "Hamiltonian path": "hamiltonian path with start_node=0, end_node=3 of 0-1 1-2 2-3 0-2",
    "components": "connected component with node=0 of 0-1 1-2 3-4",
    "community": "community detection, number_of_communities=2, communities_size=2, "
    "of 0-1:1 2-3:1 1-2:0.2",
    "Steiner tree": "steiner tree, terminals 0, 3, of 0-1:1 1-2:2 2-3:1 3-0:5",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=shipped_run())
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[])
    arguments = parser.parse_args()
    run = RunPaths.enclosing(arguments.checkpoint)
    config = load_config("published" if run is None else str(run.config_file), arguments.set)
    model, asked, valid, optimal = model_directory(arguments.checkpoint), 0, 0, 0
    for name, text in QUESTIONS.items():
        started = time.perf_counter()
        request = CircuitRequest(text=text, samples=arguments.samples, seed=arguments.seed)
        try:
            *_, answer = answer_here(request, model, config, name="strangers")
        except InputError as error:
            print(f"{name:28} not asked: {error}")
            continue
        assert isinstance(answer, CircuitAnswer)
        asked, valid, optimal = asked + 1, valid + answer.valid, optimal + bool(answer.optimal)
        print(
            f"{name:28} {answer.problem.num_qubits:2} qubits  valid {answer.candidates.valid:2}/"
            f"{answer.candidates.drawn}  decodes {answer.feasible!s:5}  optimal "
            f"{answer.optimal!s:5}  {time.perf_counter() - started:.1f} s  {answer.answer}"
        )
    print(f"{asked} asked: {valid} with a valid circuit, {optimal} optimal")


if __name__ == "__main__":
    main()
