"""Edge lists: a line an edge, "u v" or "u v weight"; separated by spaces or commas, any labels."""

from typing import Any

from quasar.errors import ProblemError
from quasar.problems.readers.reading import SourceReading, content_lines, read_number, short_graph

# How tables name their columns.
_ENDS = {("source", "target"), ("from", "to"), ("src", "dst"), ("u", "v"), ("node1", "node2")}
_WEIGHTS = ("weight", "w", "value", "capacity", "cost")


def read_edge_list(text: str) -> SourceReading:
    """A line of one label is a node without edges. Either all edges have a weight or none. A first
    line that names columns ("source,target,weight") is none of them.
    """
    edges: list[list[Any]] = []
    nodes: dict[Any, None] = {}
    rows = [
        (line, " ".join(words).replace(",", " ").replace(";", " ").split())
        for line, words in content_lines(text, ("#", "%", "//"))
    ]
    notes: tuple[str, ...] = ()
    if _is_header(rows):
        notes = (f"line {rows[0][0]} names the columns: {' '.join(rows.pop(0)[1])}",)
    # 01 is a label, so that labels are numbers only where all are
    labels = [word for _, words in rows for word in words[:2]]
    numbers = all(word == "0" or (word.isdecimal() and word[0] != "0") for word in labels)
    width: tuple[int, int] | None = None  # words of an edge, and the line that says so
    for line, words in rows:
        ends = [int(word) if numbers else word for word in words[:2]]
        nodes |= dict.fromkeys(ends)
        if len(words) == 1:
            continue
        if len(words) > 3:
            raise ProblemError(
                f"line {line}: {' '.join(words)[:60]!r} is no edge; write u v or u v weight"
            )
        width = width or (len(words), line)
        if len(words) != width[0]:
            here, there = ("no weight", "one") if len(words) == 2 else ("a weight", "none")
            raise ProblemError(f"line {line}: the edge has {here}, that of line {width[1]} {there}")
        edges.append([*ends, *(read_number(word, line) for word in words[2:])])
    if not nodes:
        raise ProblemError("there is no edge in it")
    order = sorted(nodes) if numbers else list(nodes)
    return SourceReading("edge list", short_graph(order, edges), named=False, notes=notes)


def _is_header(rows: list[tuple[int, list[str]]]) -> bool:
    """Whether the first line names columns: usual names, and no label of an edge."""
    if len(rows) < 2:
        return False
    (_, first), *others = rows
    names = tuple(word.strip("\"'").lower() for word in first)
    right = names[:2] in _ENDS and (len(names) == 2 or names[2:] in {(w,) for w in _WEIGHTS})
    again = {word for _, words in others for word in words[:2]} & set(first[:2])
    return right and not again
