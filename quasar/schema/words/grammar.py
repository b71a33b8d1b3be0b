"""The grammar of a problem in words: what each token of a text says.

Takes tokens and the problem they are about; gives a `ParsedText`. A token that no rule takes and
that is no filler stands in `ParsedText.unread`: nothing is passed over. The rules are tried in one
order at each token, and none looks back, so the time is that of a few passes over the text.
"""

from collections.abc import Callable, Sequence
from typing import Any

from quasar.problems.base import GraphProblem
from quasar.schema.words.clauses import ClauseRules
from quasar.schema.words.edges import EdgeRules
from quasar.schema.words.named_graphs import named_graph
from quasar.schema.words.parsed import ParsedText
from quasar.schema.words.tokens import (
    CUT,
    EDGE_WORDS,
    FILLERS,
    NODE_WORDS,
    Name,
    Token,
    phrases,
)

# How an attribute is called beside its own name; one-letter names need "=" or ":".
_ATTRIBUTE_NAMES = {
    "k": ("k", "size", "clique size"),
    "number_of_colors": ("number of colors", "number of colours", "colors", "colours", "k"),
    "number_of_communities": ("number of communities", "k"),
    "communities_size": ("communities size", "community size", "communities of size", "size"),
    "source": ("source node", "source", "s"),
    "sink": ("sink node", "sink", "target node", "target", "t"),
    "start_node": ("start node", "starting node", "starting at", "start at", "start"),
    "end_node": ("end node", "ending node", "ending at", "end at", "end"),
    "terminal_nodes": ("terminal nodes", "terminals", "terminal"),
    "node": ("node", "vertex", "containing node", "containing vertex", "containing"),
    "capacity": ("capacity",),
    "budget": ("budget",),
}
# Counts that stand before their word, as in "3 colors" and "3-clique".
_COUNTED = {
    "number_of_colors": {"color", "colors", "colour", "colours", "coloring", "colouring"},
    "number_of_communities": {"communities", "groups"},
    "k": {"clique"},
}
# Words that say nothing where the problem is this one.
_OWN_FILLERS = {
    "number_partitioning": frozenset(
        ("into", "two", "equal", "equally", "parts", "halves", "sets", "subsets", "groups", "set")
    ),
    "knapsack": frozenset(("items", "objects")),
    "exact_cover": frozenset(("sets", "subsets", "set", "hyperedges", "collection")),
    "hypermaxcut": frozenset(("hyperedges", "hyperedge")),
    "max_cut": frozenset(),
    "ising": frozenset(("model", "spin", "spins", "fields", "couplings", "hamiltonian", "energy")),
    "qubo": frozenset(("quadratic", "unconstrained", "binary", "optimization", "optimisation")),
    "tsp": frozenset(("cities", "city", "tour", "distances")),
    "max_sat": frozenset(("clauses", "clause", "formula", "literals")),
}


def find_names(tokens: Sequence[Token]) -> list[Name]:
    """The problems that the text names, in order."""
    known, found, i = phrases(), [], 0
    while i < len(tokens):
        match = _name_at(tokens, i, known)
        i = match[1] if match else i + 1
        found += [match[0]] if match else []
    return found


def read(tokens: Sequence[Token], problem: GraphProblem | None) -> ParsedText:
    """Every token by the first rule that takes it. problem: None where none is named."""
    return _Parser(tokens, problem).read()


def _name_at(
    tokens: Sequence[Token], i: int, known: dict[tuple[str, ...], Name]
) -> tuple[Name, int] | None:
    """The longest phrase that begins at token i, and the token behind it."""
    if tokens[i].kind == "number" and [t.lower for t in tokens[i : i + 4]] == [
        *("0", "-", "1", "knapsack")
    ]:
        return Name("knapsack"), i + 4
    if tokens[i].kind != "word":
        return None
    whole = tokens[i].lower
    if "_" in whole and tuple(whole.split("_")) in known:
        name = known[tuple(whole.split("_"))]
        return (Name("max_cut") if name.primitive == CUT else name), i + 1
    words: list[str] = []
    best = None
    place = i
    while place < len(tokens) and len(words) < 8 and tokens[place].kind == "word":
        words += [part for part in tokens[place].lower.split("_") if part]
        place += 1
        if tuple(words) in known:
            best = (known[tuple(words)], place)
        if place < len(tokens) and tokens[place].text in ("-", "–"):
            place += 1
    return best


class _Parser(EdgeRules, ClauseRules):
    def __init__(self, tokens: Sequence[Token], problem: GraphProblem | None):
        super().__init__(tokens, problem)
        self.known = phrases()
        self.attribute_names = self._attribute_names()
        self.own_fillers = _OWN_FILLERS.get(problem.name if problem else "", frozenset())
        self.told_edge = False  # whether the token before ended an edge
        self.rules: tuple[Callable[[int], int | None], ...] = (
            self._object,
            self._columns,
            self._clause,
            self._attribute,
            self._name,
            self._named_graph,
            self._count,
            self._node_list,
            self._edge_sentence,
            self._ends,
            self._chain,
            self._field,
            self._number_list,
            self._bracket,
            self._flag,
            self._filler,
        )

    def read(self) -> ParsedText:
        i = 0
        while i < len(self.tokens):
            after = None
            for rule in self.rules:
                after = rule(i)
                if after is not None:
                    self.told_edge = rule in (
                        self._chain, self._bracket, self._edge_sentence, self._clause
                    )  # fmt: skip
                    break
            else:
                self.found.unread.append(self.tokens[i])
                self.told_edge = True  # what follows may have belonged to it
            i = i + 1 if after is None else after
        self.found.unread += self.open
        if not self.found.objects:
            named = {end for edge in self.found.edges for end in (edge.u, edge.v)}
            named |= {*self.found.nodes, *(v for group in self.found.groups for v in group)}
            named |= self.found.fields.keys()
            self.found.unread += [token for token in self.words if token.text not in named]
        self.found.unread.sort(key=lambda token: token.start)
        return self.found

    def _object(self, i: int) -> int | None:
        if self._kind(i) != "object":
            return None
        self.found.objects.append(self.tokens[i].value)
        return i + 1

    def _name(self, i: int) -> int | None:
        match = _name_at(self.tokens, i, self.known)
        if match is None:
            return None
        name, after = match
        self.found.names.append(name)
        for attribute, value in name.attributes:
            self._give(attribute, value)
        if name.weighted:
            self.found.flags["weighted"] = " ".join(t.text for t in self.tokens[i:after])
        if self._attribute_of("node") and self._is(after, "of") and not self._link(after + 2):
            label = self._label(after + 1)
            if (
                label is not None
                and not self._is(after + 2, ",")
                and self._kind(after + 2) != ("number")
            ):
                self._give("node", label)
                return after + 2
        return after

    def _columns(self, i: int) -> int | None:
        """(weight, value) or (value, weight): what the pairs of a knapsack are."""
        if not self._items():
            return None
        for first, second in (("weight", "value"), ("value", "weight")):
            for said in ((first, second), (f"{first}s", f"{second}s")):
                after = self._words(i, ("(", said[0], ",", said[1], ")"))
                if after is not None:
                    self.found.flags["columns"] = first
                    return after
        return None

    def _attribute(self, i: int) -> int | None:
        for words, attribute in self.attribute_names:
            after = self._words(i, words)
            if after is None:
                continue
            short = len(words) == 1 and len(words[0]) == 1
            if self._is(after, "=", ":"):
                after += 1
            elif short and not (words[0] == "k" and self._kind(after) == "number"):
                continue
            elif self._is(after, "is", "are", "of", "at"):
                after += 1
            read = self._value(after, attribute)
            if read is not None:
                self._give(attribute, read[0])
                return read[1]
        before = self.tokens[i]
        if before.kind != "number" or not isinstance(before.value, int):
            return None
        after = i + 2 if self._is(i + 1, "-") else i + 1
        for attribute, words in _COUNTED.items():
            if self._attribute_of(attribute) and self._is(after, *words):
                self._give(attribute, before.value)
                # "clique", "coloring" and "communities" name the problem as well
                match = _name_at(self.tokens, after, self.known)
                return after if match else after + 1
        return None

    def _value(self, i: int, attribute: str) -> tuple[Any, int] | None:
        assert self.problem is not None  # it has the attribute
        kind = self.problem.attributes[attribute].kind
        if kind == "nodes":
            return self._label_list(i)
        if kind == "node":
            if self._is(i, *NODE_WORDS):
                i += 1
            label = self._label(i, any_word=True)
            if label is None or self._link(i + 1):
                return None
            if self._label(i) is None:
                self.words.append(self.tokens[i])
            return label, i + 1
        if kind == "integer":
            return self._number(i)
        if kind == "choice":
            for choice in sorted(self.problem.attributes[attribute].choices, key=len, reverse=True):
                parts = choice.split("_")
                for words in ([choice], parts, [w for p in parts for w in (p, "-")][:-1]):
                    after = self._words(i, words)
                    if after is not None:
                        return choice, after
        return None

    def _named_graph(self, i: int) -> int | None:
        match = named_graph(self.tokens, i)
        if match is None or self._link(match[1]):
            return None
        if self._kind(i) == "word" and self._link(i + 1):  # K4-K5 is an edge
            return None
        self.found.named.append(match[0])
        return match[1]

    def _count(self, i: int) -> int | None:
        """ "5 nodes", "a 5-node graph", "n = 5", "6 edges"."""
        token = self.tokens[i]
        if self._is(i, "n") and self._is(i + 1, "=", ":"):
            number = self._number(i + 2)
            if number is not None and isinstance(number[0], int):
                self.found.counts.append(number[0])
                return number[1]
        if token.kind != "number" or not isinstance(token.value, int):
            return None
        after = i + 2 if self._is(i + 1, "-") else i + 1
        if self._is(after, *NODE_WORDS):
            self.found.counts.append(token.value)
            return after + 1
        if self._is(after, *EDGE_WORDS):
            self.found.edge_counts.append(token.value)
            return after + 1
        return None

    def _node_list(self, i: int) -> int | None:
        """ "nodes 0, 1, 2", "vertices: A B C", "V = {0, 1}", "nodes 0 to 4"."""
        start = i + 1 if self._is(i, "isolated", "lone") else i
        if not self._is(start, *NODE_WORDS) and not (
            self._is(start, "v") and self._is(start + 1, "=")
        ):
            return None
        place = start + 1
        if self._is(place, ":", "=", "are"):
            place += 1
        first, last = self._label(place), self._label(place + 2)
        ranged = self._is(place + 1, "to", "through") and not self._link(place + 3)
        if ranged and isinstance(first, int) and isinstance(last, int) and 0 < last - first < 1000:
            self._declare(range(first, last + 1))
            return place + 3
        listed = self._label_list(place, any_word=place > start + 1 or self._kind(place) != "word")
        if listed is None:
            return None
        self._declare(listed[0])
        return listed[1]

    def _number_list(self, i: int) -> int | None:
        """The numbers of a partition; weights and values of a knapsack; "0:3/7" of our prompts."""
        if self.problem is None or not self._items():
            return None
        fields = self.problem.node_fields
        place, name = i, "numbers" if len(fields) == 1 else None
        words = {"numbers": "numbers", "integers": "numbers", "weights": "weight"}
        words |= {"values": "value", "profits": "value", "weight": "weight", "value": "value"}
        if self._kind(i) == "word" and self._is(i, *words):
            name, place = words[self.tokens[i].lower], i + 1
            if self._is(place, ":", "=", "are", "is", "of"):
                place += 1
            if len(fields) == 1:
                name = "numbers"
        if name is None:
            return None
        listed = self._numbers(place)
        if listed is None or (place == i and self._is(listed[1], *NODE_WORDS, *EDGE_WORDS)):
            return None
        if place == i and self._is(listed[1], "parts", "sets", "subsets", "groups", "halves"):
            if listed[0] == [2]:
                return listed[1] + 1
            return None
        self.found.lists.setdefault(name, []).extend(listed[0])
        return listed[1]

    def _flag(self, i: int) -> int | None:
        said = {
            "weighted": "weighted",
            "unweighted": "unweighted",
            "directed": "directed",
            "digraph": "directed",
            "undirected": "undirected",
        }
        if self._is(i, *said):
            self.found.flags[said[self.tokens[i].lower]] = self.tokens[i].text
            return i + 1
        if self._is(i, "weights", "capacities") and not self._items():
            self.found.flags["weighted"] = self.tokens[i].text
            return i + 1
        return None

    def _filler(self, i: int) -> int | None:
        token = self.tokens[i]
        after = self.tokens[i + 1] if i + 1 < len(self.tokens) else None
        if token.kind == "bullet" or token.text in (",", ";", "`"):
            return i + 1
        if token.kind == "mark" and token.text in ".?!":
            ends = after is None or after.start > token.end
            return i + 1 if ends and (token.text == "." or self._touches(i)) else None
        if token.text == ":":  # as in "edges: 0-1"; behind an edge it would be a weight
            return i + 1 if i and not self.told_edge else None
        if token.kind == "word" and token.lower in self.own_fillers:
            return i + 1
        if token.lower == "e" and self._is(i + 1, "="):
            return i + 2
        if token.kind != "word":
            return None
        if token.lower in NODE_WORDS:
            # before a number or a link it would say something that was not understood
            return None if self._kind(i + 1) == "number" or self._link(i + 2) else i + 1
        if token.lower in EDGE_WORDS:
            return i + 2 if self._is(i + 1, "=") else i + 1
        return i + 1 if token.lower in FILLERS else None

    def _attribute_names(self) -> list[tuple[tuple[str, ...], str]]:
        """(words, attribute), longer ones first."""
        attributes = () if self.problem is None else self.problem.attributes
        found = []
        for name in attributes:
            own = (name, name.replace("_", " "))
            for said in dict.fromkeys((*own, *_ATTRIBUTE_NAMES.get(name, ()))):
                found.append((tuple(said.split()), name))
        return sorted(found, key=lambda pair: len(pair[0]), reverse=True)
