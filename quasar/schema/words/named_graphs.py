"""Graphs that have a name: "K4", "a triangle", "the Petersen graph", "a cycle on 5 nodes"."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from quasar.schema.words.tokens import NODE_WORDS, Token
from quasar.system.lazy import lazy_module

if TYPE_CHECKING:
    import networkx as nx
else:
    nx = lazy_module("networkx")

MAX_NODES = 60
Named = tuple[str, list[tuple[int, int]], int]  # as it was said, edges on nodes 0…n−1, n

_FAMILIES: dict[str, Callable[[int], "nx.Graph"]] = {
    "complete": lambda n: nx.complete_graph(n),
    "clique": lambda n: nx.complete_graph(n),
    "cycle": lambda n: nx.cycle_graph(n),
    "ring": lambda n: nx.cycle_graph(n),
    "path": lambda n: nx.path_graph(n),
    "line": lambda n: nx.path_graph(n),
    "star": lambda n: nx.star_graph(n - 1),  # n nodes, the centre included
    "wheel": lambda n: nx.wheel_graph(n),
}
_LEAST = {"cycle": 3, "ring": 3, "wheel": 4}
_SYMBOLS = {
    "K": lambda n: nx.complete_graph(n),
    "C": lambda n: nx.cycle_graph(n),
    "P": lambda n: nx.path_graph(n),
}
_SINGLE = {
    "triangle": lambda: nx.cycle_graph(3),
    "square": lambda: nx.cycle_graph(4),
    "pentagon": lambda: nx.cycle_graph(5),
    "hexagon": lambda: nx.cycle_graph(6),
    "petersen": lambda: nx.petersen_graph(),
}
_SYMBOL = re.compile(r"([KCP])_?(\d{1,2})")
_GRID = re.compile(r"(\d{1,2})x(\d{1,2})")


def named_graph(tokens: Sequence[Token], i: int) -> tuple[Named, int] | None:
    """The graph that is named from token i on, and the token behind its name."""

    def text(place: int) -> str:
        return tokens[place].lower if place < len(tokens) else ""

    def built(graph: "nx.Graph", after: int) -> tuple[Named, int] | None:
        said = " ".join(token.text for token in tokens[i:after])
        graph = nx.convert_node_labels_to_integers(graph, ordering="sorted")
        edges = [(min(edge), max(edge)) for edge in graph.edges]
        return ((said, sorted(edges), len(graph)), after) if len(graph) <= MAX_NODES else None

    def behind(after: int) -> int:
        return after + 1 if text(after) == "graph" else after

    word = text(i)
    if tokens[i].kind not in ("word", "number"):
        return None
    if word in _SINGLE:
        return built(_SINGLE[word](), behind(i + 1))
    symbol = _SYMBOL.fullmatch(tokens[i].text)
    if symbol:
        size = int(symbol[2])
        bound = all(tokens[j].end == tokens[j + 1].start for j in (i, i + 1) if text(j + 1))
        if symbol[1] == "K" and text(i + 1) == "," and text(i + 2).isdigit() and bound:
            return built(nx.complete_bipartite_graph(size, int(text(i + 2)[:3])), behind(i + 3))
        if size < (3 if symbol[1] == "C" else 2):
            return None
        return built(_SYMBOLS[symbol[1]](size), behind(i + 1))
    grid = _GRID.fullmatch(word)
    if grid and text(i + 1) == "grid":
        return built(nx.grid_2d_graph(int(grid[1]), int(grid[2])), behind(i + 2))
    if tokens[i].kind == "number" and word.isdigit() and text(i + 1) == "-":  # "a 5-cycle"
        size = int(word[:4])
        if text(i + 2) in _LEAST and _LEAST[text(i + 2)] <= size <= MAX_NODES:
            return built(_FAMILIES[text(i + 2)](size), behind(i + 3))
        return None
    if word in _FAMILIES:
        place = behind(i + 1)
        if text(place) in ("on", "of", "with", "over"):
            place += 1
            if text(place) in ("length", "size"):
                place += 1
            if place < len(tokens) and tokens[place].kind == "number" and text(place).isdigit():
                size = int(text(place)[:4])
                place += 1
                if text(place) in NODE_WORDS:
                    place += 1
                if _LEAST.get(word, 2) <= size <= MAX_NODES:
                    return built(_FAMILIES[word](size), place)
        elif place < len(tokens) and _SYMBOL.fullmatch(tokens[place].text):
            inner = named_graph(tokens, place)  # "the complete graph K5"
            same = {"k": "complete", "c": "cycle", "p": "path"}.get(text(place)[0])
            return (inner[0], inner[1]) if inner and same == word else None
    return None
