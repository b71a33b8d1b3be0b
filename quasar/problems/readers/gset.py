"""Gset and rudy files: "nodes edges", then a line "u v weight" an edge, nodes from 1."""

from quasar.errors import ProblemError
from quasar.problems.readers.reading import (
    SourceReading,
    content_lines,
    read_count,
    read_node,
    read_number,
    short_graph,
)


def read_gset(text: str) -> SourceReading:
    """Maximum cut unless another problem is asked for."""
    rows = content_lines(text, ("#", "c"))
    line, header = next(rows, (1, []))
    if len(header) != 2:
        raise ProblemError(f"line {line}: a Gset file begins with its numbers of nodes and edges")
    nodes = read_count(header[0], line, what="the number of nodes", least=1)
    count = read_count(header[1], line, what="the number of edges")
    edges = []
    for line, words in rows:
        if len(words) != 3:
            raise ProblemError(f"line {line}: {' '.join(words)[:60]!r}: write u v weight")
        ends = [read_node(word, line, nodes) for word in words[:2]]
        edges.append([*ends, read_number(words[2], line)])
    if len(edges) != count:
        raise ProblemError(f"the header says {count} edges, there are {len(edges)}")
    return SourceReading(
        "Gset (rudy)",
        short_graph(range(1, nodes + 1), edges),
        usual="max_cut",
        directed=False,
        named=False,
    )


def is_gset(text: str) -> bool | None:
    """Whether a list of lines is one; None where it may be an edge list as well."""
    rows = [words for _, words in content_lines(text, ("#", "c"))]
    if len(rows) < 2 or len(rows[0]) != 2 or not all(w.isdecimal() for w in rows[0]):
        return False
    nodes, count = map(int, rows[0])
    within = all(
        word.isdecimal() and 1 <= int(word) <= nodes for words in rows[1:] for word in words[:2]
    )
    if not within or len(rows) - 1 != count:
        return False
    return True if all(len(words) == 3 for words in rows[1:]) else None
