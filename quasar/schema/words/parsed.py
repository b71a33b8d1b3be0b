"""What a text says of a problem: the result of the grammar (`quasar.schema.words.grammar`)."""

from dataclasses import dataclass, field
from typing import Any

from quasar.schema.words.tokens import Name, Token

Label = int | str


@dataclass(frozen=True, slots=True)
class ParsedEdge:
    """u to v; weight None where none is said, arrow where a direction is."""

    u: Label
    v: Label
    weight: float | None
    arrow: bool | None  # None: a tuple, which has the direction that the problem's edges have


@dataclass(frozen=True, slots=True)
class ParsedClause:
    """Literals joined by "or": its nodes, and those of them that are negated."""

    nodes: tuple[Label, ...]
    negated: tuple[Label, ...]
    weight: float | None


@dataclass(slots=True)
class ParsedText:
    """What a text says, in the order in which it does."""

    names: list[Name] = field(default_factory=list)
    edges: list[ParsedEdge] = field(default_factory=list)
    groups: list[list[Label]] = field(default_factory=list)
    clauses: list[ParsedClause] = field(default_factory=list)
    fields: dict[Label, float] = field(default_factory=dict)  # numbers of nodes beside edges
    nodes: list[Label] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)  # of nodes
    edge_counts: list[int] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=dict)  # numbers, weight, value
    objects: list[Any] = field(default_factory=list)
    named: list[tuple[str, list[tuple[int, int]], int]] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)  # weighted, directed, … -> as it was said
    unread: list[Token] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # what was understood and makes no sense
