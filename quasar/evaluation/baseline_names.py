"""Names of the rows that stand beside every evaluation, and the problems that each is for.

`quasar.evaluation.baselines` makes their circuits.
"""

from collections.abc import Collection, Sequence

from quasar.errors import InputError
from quasar.evaluation.summary import FORMULA, GUESSING

# Groups of ansatz families: what ten lines reach differs between them.
QAOA, OTHER = "QAOA", "other families"
_QAOA_FAMILIES = ("qaoa", "ma_qaoa")

CONSTANT_ANGLES = "constant angles"
GREEDY = "greedy"
GREEDY_OF_8 = "greedy, best of 8"
BY_STRENGTH = "greedy by strength"
GREEDY_DESCENT = "greedy and descent"
DESCENTS_OF_8 = "best of 8 descents"
PLANS_OF_8 = "best of 8 plans by rule"
# The strongest answers that take no learning, of the family that the prompt names: row -> the
# group of families that it answers.
TRIVIAL = {
    CONSTANT_ANGLES: QAOA,
    GREEDY: OTHER,
    GREEDY_OF_8: OTHER,
    BY_STRENGTH: OTHER,
    GREEDY_DESCENT: OTHER,
    DESCENTS_OF_8: OTHER,
    PLANS_OF_8: OTHER,
}
# The family from random parameters, optimised with as many evaluations as the optimise tool has.
RANDOM_STARTS = "random starts"
TUNED = "tuned QAOA p = 1"  # one layer, for each problem its best angles
# The solver that made the references of our datasets, on the problem's family, cut short after as
# many seconds of the processor as the model took for one answer, or for all of a problem's.
SOLVER = "solver at equal seconds"
SOLVER_OF_ALL = "solver, seconds of all samples"
SOLVERS = (SOLVER, SOLVER_OF_ALL)
REFERENCES = "references"  # of the rows; of tasks other than graph problems the teacher's
BEST_TRIVIAL = "best trivial answer"  # of such tasks: what a part scores 0 at
BY_RULE = "answer by rule"  # of such tasks: `Task.rule`
TASK_ROWS = (BEST_TRIVIAL, BY_RULE, REFERENCES)  # the rows that such tasks have
BASELINE_NAMES = (
    GUESSING,
    "one optimal bitstring",
    "empty circuit",
    "random angles",
    RANDOM_STARTS,
    FORMULA,
    TUNED,
    *SOLVERS,
    *TRIVIAL,
    BEST_TRIVIAL,
    BY_RULE,
    REFERENCES,
)


def group_of(ansatz: str) -> str:
    """The group that a family belongs to; `ansatz` as problem records name it."""
    return QAOA if ansatz in _QAOA_FAMILIES else OTHER


def asked_for(
    names: Sequence[str], ansatze: Collection[str], *, other_tasks: bool = False
) -> tuple[str, ...]:
    """Those of the baselines that are for at least one of these families (of graph problems), or
    for other tasks where there are problems of such.
    """
    groups = {group_of(ansatz) for ansatz in ansatze}

    def is_asked(name: str) -> bool:
        if name in TASK_ROWS and other_tasks:
            return True
        if not groups or not is_row_of(name, graph=True):
            return False
        return name not in TRIVIAL or TRIVIAL[name] in groups

    return tuple(name for name in names if is_asked(name))


def is_row_of(name: str, *, graph: bool) -> bool:
    """Whether a baseline is for graph problems, or else for other tasks."""
    return name not in (BEST_TRIVIAL, BY_RULE) if graph else name in TASK_ROWS


def check_names(names: Sequence[str]) -> None:
    """InputError for a name that no baseline has, or one that is there twice."""
    for name in names:
        if name not in BASELINE_NAMES:
            known = ", ".join(f"'{known}'" for known in BASELINE_NAMES)
            raise InputError(f"baseline {name!r}: valid names: {known}")
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InputError(f"baseline {repeated!r} is named twice; name it once")
