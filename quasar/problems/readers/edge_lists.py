"""Edge lists: a line an edge, "u v" or "u v weight"; separated by spaces or commas, any labels."""

from typing import Any

from quasar.errors import ProblemError
from quasar.problems.readers.reading import SourceReading, content_lines, read_number, short_graph


def read_edge_list(text: str) -> SourceReading:
    """A line of one label is a node without edges. Either all edges have a weight or none."""
    edges: list[list[Any]] = []
    nodes: dict[Any, None] = {}
    rows = [
        (line, " ".join(words).replace(",", " ").replace(";", " ").split())
        for line, words in content_lines(text, ("#", "%", "//"))
    ]
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
    return SourceReading("edge list", short_graph(order, edges), named=False)
