"""The words in which people state a problem: tokens, names of problems, words that say nothing.

Takes text; gives tokens, of which none is left out, and the vocabulary that the grammar
(`quasar.schema.words.grammar`) knows.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, cast

from quasar.problems import problem_names

Kind = Literal["number", "word", "quoted", "link", "mark", "object", "bullet", "other"]
MAX_CUT, HYPER = "max_cut", "hypermaxcut"
ACCEPTED = (
    'write edges as 0-1 1-2, with weights 0-1:3, directed 0->1:2, or the graph as JSON: {"nodes": '
    '[0, 1], "edges": [[0, 1]]}, and attributes as source=0'
)
CUT = "max cut"  # of a graph or a hypergraph: which of the two primitives hangs on the graph

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<quoted>"[^"\n]{1,100}"|'[^'\n]{1,100}')
    |(?P<dotted>[0-9]+(?:\.[0-9]+){2,})
    |(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?!\w))
    |(?P<word>\w+(?:['’]\w+)?)
    |(?P<other>\?{2,}|!{2,}|-{3,}>?|={2,}(?!>))
    |(?P<link><-{1,2}>|<=>|-{1,2}>|=>|<-{1,2}|<=|--|[-–—−→←↔>])
    |(?P<mark>[()\[\]{},;:.=?!+`])
    |(?P<rest>.)""",
    re.VERBOSE | re.DOTALL,
)
_BULLET = re.compile(r"(?:^|(?<=\n))[ \t]*[-*•](?=[ \t]+\S)")
FORWARD = {"->", "-->", "=>", "→", ">"}
BACKWARD = {"<-", "<--", "<=", "←"}
BOTH = {"<->", "<-->", "<=>", "↔"}


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of the text; value: of a number, of a quoted label, of a JSON object."""

    kind: Kind
    text: str
    start: int
    end: int
    value: Any = None

    @property
    def lower(self) -> str:
        return self.text.lower()


def tokens_of(text: str, objects: Iterable[tuple[int, int, Any]] = ()) -> list[Token]:
    """Every piece of the text but white space. objects: (start, end, value) of what is JSON."""
    found: list[Token] = []
    bullets = {match.end() - 1 for match in _BULLET.finditer(text)}
    ahead = sorted(objects, key=lambda span: span[0])
    place = 0
    while place < len(text):
        if ahead and place == ahead[0][0]:
            start, end, value = ahead.pop(0)
            found.append(Token("object", text[start:end], start, end, value))
            place = end
            continue
        match = _TOKEN.match(text, place)
        assert match is not None  # the last branch takes any character
        kind, part = cast(Kind, match.lastgroup), match.group()
        place = match.end()
        if kind == "space":
            continue
        value = None
        if match.start() in bullets:
            kind = "bullet"
        elif kind == "number":
            value = int(part) if part.isdigit() and len(part) < 400 else float(part)
        elif kind == "quoted":
            value = part[1:-1]
        found.append(
            Token(
                "other" if kind in ("rest", "dotted") else kind, part, match.start(), place, value
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Name:
    """What a phrase says: a problem, and attributes of it."""

    primitive: str
    attributes: tuple[tuple[str, Any], ...] = ()
    weighted: bool = False


_LEAST = ("minimum", "min", "smallest")
_MOST = ("maximum", "max", "largest", "biggest")
# primitive: (words that may stand before, other names of it); its own name is always one.
_SAID: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "vertex_cover": (_LEAST, ("node cover", "vertex covering")),
    "edge_cover": (_LEAST, ("edge covering",)),
    "min_cut": ((), ("mincut", "minimum cut", "smallest cut", "s t cut", "minimum s t cut",
                     "min s t cut", "s t min cut", "s t minimum cut")),
    "max_flow": ((), ("maxflow", "maximum flow", "largest flow", "s t flow", "maximum s t flow",
                      "max s t flow", "s t max flow", "s t maximum flow")),
    "maximum_independent_set": ((), ("independent set", "mis", *(f"{w} independent set" for w in
                                     _MOST), "stable set", "maximum stable set")),
    "kclique": ((), ("k clique", "clique")),
    "graph_coloring": ((), ("graph colouring", "coloring", "colouring", "vertex coloring",
                            "vertex colouring", "color", "colour")),
    "community_detection": ((), ("communities", "modularity")),
    "connected_components": ((), ("connected component", "component")),
    "hamiltonian_path": ((), ("hamilton path",)),
    "graph_isomorphism": ((), ("isomorphism",)),
    "steiner_tree": (_LEAST, ()),
    "number_partitioning": ((), ("number partition", "partitioning", "partition")),
    "knapsack": ((), ("0 1 knapsack",)),
    "exact_cover": ((), ("exact covering",)),
    "ising": ((), ("ising model", "ising problem", "spin glass", "ground state of ising")),
    "qubo": ((), ("quadratic unconstrained binary optimization",
                  "quadratic unconstrained binary optimisation")),
    "tsp": ((), ("travelling salesman", "traveling salesman", "travelling salesperson",
                 "traveling salesperson", "shortest round trip", "shortest tour")),
    "portfolio": ((), ("portfolio optimization", "portfolio optimisation",
                       "portfolio selection")),
    "max_sat": ((), ("maxsat", "maximum satisfiability", "max satisfiability", "max 2 sat",
                     "max 3 sat", "max 2sat", "max 3sat")),
    HYPER: ((), ("hyper max cut", "hypergraph max cut", "hypergraph maximum cut",
                 "hypergraph cut")),
}  # fmt: skip
_MATCHINGS = {
    "": None,
    "perfect": "perfect",
    "near perfect": "near_perfect",
    "maximum": "maximum",
    "max": "maximum",
    "largest": "maximum",
    "perfect bipartite": "perfect_bipartite",
    "bipartite perfect": "perfect_bipartite",
    "maximum bipartite": "maximum_bipartite",
    "bipartite maximum": "maximum_bipartite",
}
_CUTS = ("max cut", "maxcut", "maximum cut", "largest cut", "biggest cut")
_WEIGHED = ("max_cut", "matching", "community_detection", "steiner_tree", "max_sat", "ising")


def phrases() -> dict[tuple[str, ...], Name]:
    """Each way to name a registered problem, as words, and what it says."""
    found: dict[tuple[str, ...], Name] = {}

    def add(said: str, name: Name) -> None:
        found[tuple(said.split())] = name

    names = problem_names()
    for primitive in names:
        before, others = _SAID.get(primitive, ((), ()))
        for said, word in product((primitive.replace("_", " "), *others), ("", *before)):
            add(f"{word} {said}", Name(primitive))
            if primitive in _WEIGHED:
                add(f"weighted {word} {said}", Name(primitive, weighted=True))
    if "matching" in names:
        light = ("", "minimum weight", "min weight", "least weight", "lightest", "weighted")
        for (said, kind), word in product(_MATCHINGS.items(), light):
            attributes = (("matching", kind),) if kind else ()
            for order in (f"{word} {said} matching", f"{said} {word} matching"):
                add(order, Name("matching", attributes, weighted=bool(word)))
    for said in _CUTS:
        add(said, Name(CUT))
        add(f"weighted {said}", Name(CUT, weighted=True))
    for said in ("maximum weight cut", "maximum weighted cut", "max weight cut"):
        add(said, Name(CUT, weighted=True))
    return found


# Words that carry nothing of a problem: the only ones that may be passed over.
# fmt: off
FILLERS = frozenset((
    "a", "an", "the", "this", "that", "these", "those", "its", "it", "following", "given", "here",
    "below", "there", "of", "on", "for", "with", "in", "and", "over", "by", "using", "as",
    "which", "where", "whose", "has", "have", "having", "consists", "comprising", "is", "are",
    "be", "i", "we", "me", "my", "us", "you", "your", "want", "need", "like", "let", "lets",
    "can", "could", "would", "will", "should", "please", "find", "give", "get", "compute",
    "calculate", "determine", "solve", "show", "tell", "write", "make", "build", "create",
    "generate", "return", "look", "search", "draw", "now", "hello", "hi", "hey", "thanks",
    "thank", "what", "what's", "how", "do", "does", "problem", "problems", "instance", "task",
    "question", "graph", "network", "hypergraph", "circuit", "circuits", "program", "quantum",
    "openqasm", "qasm", "solution", "answer", "optimum", "optimal", "best", "simple", "small",
))
# fmt: on
NODE_WORDS = frozenset(("node", "nodes", "vertex", "vertices"))
EDGE_WORDS = frozenset(("edge", "edges", "link", "links", "arc", "arcs"))
# Words that are no label of a node even beside an arrow.
KNOWN_WORDS = FILLERS | NODE_WORDS | EDGE_WORDS
