"""What another reward changes in the rollouts of a run, as a table for a terminal."""

from rich.table import Table

from quasar.reports.verification_table import plain_table
from quasar.training.reward_change import QUANTILES, RewardChange


def rescore_table(change: RewardChange, *, verified: int, why: str) -> Table:
    """One figure a line. verified: rollouts that were verified again, and why."""
    table = plain_table("rescored", "before", "after")
    table.title = f"{change.rollouts} rollouts"
    if verified:
        table.caption = f"{verified} verified again: {why}"
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("mean reward", _number(change.mean_before), _number(change.mean_after))
    table.add_row("not graded", str(change.not_graded_before), str(change.not_graded_after))
    table.add_row(
        f"of {change.groups} groups, rewards differ",
        str(change.informative_before),
        str(change.informative_after),
    )
    table.add_section()
    table.add_row("rewards that change", "", f"{change.changed} of {change.graded}")
    for q, value in zip(QUANTILES, change.change_quantiles, strict=False):
        name = {0.0: "least", 0.5: "median", 1.0: "most"}.get(q, f"{100 * q:g} %")
        table.add_row(f"change, {name}", "", f"{value:+.4f}")
    table.add_section()
    table.add_row("rank correlation, all", "", _number(change.rank_correlation))
    table.add_row("rank correlation within groups, mean", "", _number(change.within_groups))
    table.add_row("groups whose order flips", "", f"{change.order_flips} of {change.groups}")
    table.add_row("groups whose winner flips", "", f"{change.winner_flips} of {change.groups}")
    table.add_row("pairs of a group that flip", "", _percent(change.pairs_flipped))
    table.add_row("correlation of advantages", "", _number(change.advantage_correlation))
    table.add_row("advantages that change sign", "", _percent(change.signs_flipped))
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
