"""MatrixMarket files: the matrix of a graph's weights, or Q of a QUBO. By scipy."""

import io

import numpy as np

from quasar.errors import ProblemError
from quasar.problems.readers.reading import (
    SourceReading,
    plain_number,
    quadratic_graph,
    short_graph,
)

MAX_ROWS = 100_000


def read_matrix_market(text: str, *, as_matrix: bool) -> SourceReading:
    """A graph of the entries that are not 0; nodes from 1, as the file counts.

    as_matrix: the minimised xᵀQx with binary x instead, where the diagonal is linear. Without it
    entries on the diagonal are refused as self-loops when the problem is built. A pattern's edges
    have no weight. A matrix that is not symmetric has edges with a direction.
    """
    from scipy.io import mminfo, mmread
    from scipy.sparse import coo_array

    try:
        rows, columns, _, _, kind, _ = mminfo(io.StringIO(text))
        matrix = mmread(io.StringIO(text))
    except (ValueError, TypeError, OverflowError, IndexError) as error:
        raise ProblemError(f"no MatrixMarket file: {error}") from None
    if rows != columns:
        raise ProblemError(f"the matrix is {rows} by {columns}; a graph's is square")
    if kind == "complex":
        raise ProblemError("the matrix is complex; weights are real numbers")
    # sparse: a header may promise more rows than memory has room for
    sparse = coo_array(matrix)
    sparse.sum_duplicates()
    if not np.isfinite(sparse.data).all():
        raise ProblemError("the matrix holds numbers that are not finite")
    if rows > MAX_ROWS:
        raise ProblemError(f"the matrix has {rows} rows; at most {MAX_ROWS} are read")
    places = zip(sparse.row, sparse.col, sparse.data, strict=True)
    entries = sorted((int(u) + 1, int(v) + 1, plain_number(w)) for u, v, w in places if w != 0)
    nodes = range(1, rows + 1)
    if as_matrix:
        linear = dict.fromkeys(nodes, 0.0) | {u: w for u, v, w in entries if u == v}
        graph = quadratic_graph(linear, {(u, v): w for u, v, w in entries if u != v})
        note = "the matrix is Q of the minimised xᵀQx: a pair's number is Q_uv + Q_vu"
        return SourceReading("MatrixMarket matrix", graph, primitive="qubo", notes=(note,))
    there = {(u, v): w for u, v, w in entries}
    symmetric = all(there.get((v, u)) == w for (u, v), w in there.items())
    edges = [entry for entry in entries if not symmetric or entry[0] <= entry[1]]
    if kind == "pattern":
        return SourceReading(
            "MatrixMarket graph",
            short_graph(nodes, [edge[:2] for edge in edges]),
            directed=not symmetric,
            named=False,
        )
    return SourceReading(
        "MatrixMarket graph", short_graph(nodes, edges), directed=not symmetric, named=False
    )
