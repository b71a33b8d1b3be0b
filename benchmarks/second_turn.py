"""What a second turn can be worth, by rules alone: no model, no training.

    python benchmarks/second_turn.py [--problems 700]

First answers keep to their rule: a plan by its fields with its improving pass, QAOA at constant
angles. Second answers to the same problem: a plan in a drawn order (what a second first answer is),
plans that begin with one qubit on the other side (what `quasar.datasets.revision` leaves to the
model), of the qubit with the most against its bit, of a drawn one, of the best one in hindsight;
steps along the slopes of the angles. The better of both answers counts. Problems are new, sizes
drawn evenly from 4 to 12 qubits; differences are problem by problem.
"""

import argparse

import numpy as np
from canonical_turns import PLANNED, QAOA, SETTINGS, Asked, new_problems, spread
from rich.console import Console
from rich.table import Table

from quasar.circuits.canonical import NormalisedTerm, normalised_terms
from quasar.config import load_config
from quasar.datasets.plan import PartialAssignment
from quasar.datasets.revision import by_argument, restarted
from quasar.datasets.solver.constant_angles import constant_angles
from quasar.datasets.solver.qaoa import NormalisedQaoa, tune

_STEPS = (0.03, 0.1, 0.3)  # radians a unit of slope
_LEVEL = 1e-9


def planned(
    terms: list[NormalisedTerm], num_qubits: int, rng: np.random.Generator, order: list[int]
) -> list[int]:
    """The bits of a plan that keeps to its fields; where they say nothing, drawn ones."""
    plan = PartialAssignment(terms, num_qubits, order)
    while (q := plan.next()) is not None:
        if not plan.undecided:
            plan.decide(q, 1 - plan.bits[q])
        elif abs(plan.field(q)) <= _LEVEL:
            plan.decide(q, int(rng.integers(2)))
        else:
            plan.decide(q, int(plan.field(q) > 0))
    return [plan.bits[q] for q in range(num_qubits)]


def plan_rows(one: Asked, rng: np.random.Generator) -> dict[str, float]:
    """Approximation ratio of the better answer, by the way to the second one."""
    spectrum, n = one.problem.spectrum, one.problem.num_qubits
    terms = normalised_terms(one.problem.hamiltonian)

    def ratio(bits: list[int]) -> float:
        state = sum(bit << q for q, bit in enumerate(bits))
        return spectrum.approximation_ratio(float(spectrum.energies[state]))

    first = planned(terms, n, rng, [])
    orders = [ratio(planned(terms, n, rng, rng.permutation(n).tolist())) for _ in range(2)]
    ends = {q: ratio(restarted(terms, first, q)[1]) for q in range(n)}
    ranked = by_argument(PartialAssignment(terms, n, bits=first))
    found = {
        "first answer": 0.0,
        "another order": orders[0],
        "two other orders": max(orders),
        "from the qubit with the most against its bit": ends[ranked[0]],
        "from the two with the most": max(ends[q] for q in ranked[:2]),
        "from a drawn qubit": ends[int(rng.integers(n))],
        "from the best qubit, in hindsight": max(ends.values()),
    }
    return {name: max(ratio(first), value) for name, value in found.items()}


def angle_rows(one: Asked) -> dict[str, float]:
    """The same of QAOA."""
    spectrum = one.problem.spectrum
    qaoa = NormalisedQaoa(spectrum.energies)

    def ratio(angles: np.ndarray) -> float:
        value, _ = qaoa.value_and_gradient(angles)
        return spectrum.approximation_ratio(value * qaoa.scale + spectrum.mean)

    start = np.ravel(constant_angles(one.layers)).astype(float)
    _, slope = qaoa.value_and_gradient(start)
    found = {"first answer": start}
    found |= {f"a step of {step}": start - step * slope for step in _STEPS}
    found["the solver's angles"] = tune(qaoa, layers=one.layers)
    return {name: max(ratio(start), ratio(angles)) for name, angles in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--problems", type=int, default=700, help="that have plans; of QAOA a quarter"
    )
    arguments = parser.parse_args()
    sizes = ["dataset.min_qubits=4", "dataset.max_qubits=12"]
    config = load_config("policy", [*SETTINGS, *sizes])
    for group, against in ((PLANNED, "another order"), (QAOA, "first answer")):
        number = arguments.problems // (1 if group == PLANNED else 4)
        asked = new_problems(config, set(), number, group)
        rng = np.random.default_rng(0)
        rows = [angle_rows(one) if group == QAOA else plan_rows(one, rng) for one in asked]
        print_rows(group, rows, against)


def print_rows(group: str, rows: list[dict[str, float]], against: str) -> None:
    """Means, and differences to one way, problem by problem."""
    missed = [row for row in rows if row["first answer"] < 1 - _LEVEL]
    table = Table(title=f"{group}: {len(rows)} problems, {len(missed)} missed by the first answer")
    heads = ("and", "ratio", f"against: {against}", "optimum, %", "of the missed, %", "against")
    for head in heads:
        table.add_column(head, justify="right")
    for name in rows[0]:
        ratios = np.array([[row[name], row[against]] for row in rows])
        cells = [spread(ratios[:, 0], 4), spread(ratios[:, 0] - ratios[:, 1], 4, sign="+")]
        if group == PLANNED:
            hits = 100.0 * (ratios > 1 - _LEVEL)
            of_missed = 100.0 * (
                np.array([[row[name], row[against]] for row in missed]) > 1 - _LEVEL
            )
            cells += [spread(hits[:, 0], 1), spread(of_missed[:, 0], 1)]
            cells.append(spread(of_missed[:, 0] - of_missed[:, 1], 1, sign="+"))
        table.add_row(name, *cells)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
