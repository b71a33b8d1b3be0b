"""Files of qbsolv: "p qubo 0 maxNodes nNodes nCouplers", then "i i weight" and "i j weight"."""

from quasar.errors import ProblemError
from quasar.problems.readers.reading import (
    SourceReading,
    content_lines,
    quadratic_graph,
    read_count,
    read_number,
)


def read_qubo(text: str) -> SourceReading:
    """Minimised; nodes are named by their numbers, from 0. Only nodes that a line names exist."""
    rows = content_lines(text, ("c", "#"))
    line, header = next(rows, (1, []))
    if header[:2] != ["p", "qubo"] or len(header) != 6:
        raise ProblemError(
            f'line {line}: a QUBO file begins with "p qubo 0 maxNodes nNodes nCouplers"'
        )
    if header[2] not in ("0", "unconstrained"):
        raise ProblemError(f"line {line}: target {header[2]!r} is not read; only 0")
    most, singles, pairs = (read_count(word, line, what="a size") for word in header[3:])
    linear: dict[int, float] = {}
    quadratic: dict[tuple[int, int], float] = {}
    for line, words in rows:
        if len(words) != 3:
            raise ProblemError(f"line {line}: {' '.join(words)[:40]!r}: write i j weight")
        u, v = (read_count(word, line, what="a node") for word in words[:2])
        if max(u, v) >= most:
            raise ProblemError(f"line {line}: node {max(u, v)}, but maxNodes is {most}")
        weight = read_number(words[2], line)
        if u == v:
            if u in linear:
                raise ProblemError(f"line {line}: node {u} is given twice")
            linear[u] = weight
        elif (u, v) in quadratic or (v, u) in quadratic:
            raise ProblemError(f"line {line}: the pair {u}, {v} is given twice")
        else:
            quadratic[u, v] = weight
    for said, there, what in ((singles, linear, "nodes"), (pairs, quadratic, "couplers")):
        if said != len(there):
            raise ProblemError(f"the header says {said} {what}, there are {len(there)}")
    named = sorted({*linear, *(node for pair in quadratic for node in pair)})
    if not named:
        raise ProblemError("there is no number in it")
    graph = quadratic_graph({node: linear.get(node, 0) for node in named}, quadratic)
    return SourceReading("QUBO (qbsolv)", graph, primitive="qubo", directed=False)
