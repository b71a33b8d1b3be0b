"""The rules for edges, ends and groups: "0-1", "an edge between 0 and 1", "(0, 1, 2.5)", "{0, 1}".

A rule takes the place of a token and gives the place behind what it took, None where it takes
nothing.
"""

from collections.abc import Sequence
from typing import Any

from quasar.problems.base import GraphProblem
from quasar.schema.words.parsed import ParsedEdge
from quasar.schema.words.phrase_reader import OPENING, PhraseReader
from quasar.schema.words.tokens import BACKWARD, BOTH, EDGE_WORDS, FORWARD, NODE_WORDS, Token

_MAX_DEPTH = 4  # of brackets
_ENDS = (("source", "sink"), ("start_node", "end_node"))


class EdgeRules(PhraseReader):
    """Rules that find edges and groups of nodes."""

    def __init__(self, tokens: Sequence[Token], problem: GraphProblem | None):
        super().__init__(tokens, problem)
        self.words: list[Token] = []  # that were taken for nodes, and are if an edge has them
        self.open: list[Token] = []  # brackets around words
        self.last_closing = max((j for j, t in enumerate(self.tokens) if t.text == ")"), default=-1)

    def _edge_sentence(self, i: int) -> int | None:
        """ "an edge between 0 and 1", "edges from A to B, from B to C"."""
        if not self._is(i, *EDGE_WORDS):
            return None
        place, read = i + 1, False
        while self._is(place, "between", "joining", "connecting", "from") or read:
            arrow = self._is(place, "from")
            if self._is(place, "between", "joining", "connecting", "from"):
                place += 1
            elif not read:
                break
            if self._is(place, *NODE_WORDS):
                place += 1
            u, v = self._label(place), self._label(place + 2)
            joined = self._is(place + 1, "to") if arrow else self._is(place + 1, "and", "to")
            if u is None or v is None or not joined or self._link(place + 3):
                return None if not read else place
            weight, place = self._weight(place + 3)
            self.found.edges.append(ParsedEdge(u, v, weight, arrow))
            read = True
            after = place
            while self._is(after, ",", "and", ";"):
                after += 1
            if after == place or not self._is(after, "between", "joining", "connecting", "from"):
                return place
            place = after
        return None

    def _ends(self, i: int) -> int | None:
        """ "from 0 to 3": the two ends of a flow, a cut or a path; a path also "between" them."""
        for first, last in _ENDS:
            if not (self._attribute_of(first) and self._attribute_of(last)):
                continue
            if not (self._is(i, "from") or (first == "start_node" and self._is(i, "between"))):
                continue
            place = i + 1
            ends = []
            for word in ("to" if self._is(i, "from") else "and", None):
                if self._is(place, *NODE_WORDS):
                    place += 1
                ends.append(self._label(place, any_word=True))
                if ends[-1] is not None and self._label(place) is None:
                    self.words.append(self.tokens[place])
                place += 1
                if word is not None:
                    if not self._is(place, word):
                        return None
                    place += 1
            if None in ends or self._link(place):
                return None
            self._give(first, ends[0])
            self._give(last, ends[1])
            return place
        return None

    def _chain(self, i: int) -> int | None:
        """ "0-1", "0-1-2-3", "A->B:3", "2<-1"."""
        if not self._link(i + 1):
            return None
        words = [self.tokens[i], self.tokens[i + 2]]
        arrowed = self.tokens[i + 1].text not in ("-", "–", "—", "−")
        any_word = arrowed and self._touches(i + 1) and all(t.kind != "number" for t in words)
        first = self._label(i, any_word=any_word)
        if first is None:
            return None
        labels, links, place = [first], [], i
        while self._link(place + 1):
            label = self._label(place + 2, any_word=any_word)
            if label is None:
                return None
            labels.append(label)
            links.append(self.tokens[place + 1].text)
            place += 2
        weight, after = self._weight(place + 1)
        if weight is None and self._is(after, "=", ":") and self._touches(after):
            return None  # something that is no number stands where the weight would
        if weight is not None and len(links) > 1:
            said = self._text(i, after)
            self.found.faults.append(
                f"{said!r}: of which edge the number is, is not said; write each edge with its own"
            )
        for u, link, v in zip(labels, links, labels[1:], strict=False):
            if link in BOTH and self.problem is not None and self.problem.directed:
                self.found.edges += [ParsedEdge(u, v, weight, True), ParsedEdge(v, u, weight, True)]
                continue
            pair = (v, u) if link in BACKWARD else (u, v)
            self.found.edges.append(ParsedEdge(*pair, weight, link in FORWARD | BACKWARD))
        return after

    def _bracket(self, i: int) -> int | None:
        if self._is(i, ")") and self.open:
            self.open.pop()
            return i + 1
        tree = self._tree(i, 0)
        if tree is not None:
            weight, after = self._weight(tree[1])
            if self._take(tree[0], self.tokens[i].text, weight):
                return after
            return None
        if self._is(i, "(") and i < self.last_closing and not self.open:  # around words
            self.open.append(self.tokens[i])
            return i + 1
        return None

    def _tree(self, i: int, depth: int) -> tuple[list[Any], int] | None:
        """What brackets hold: labels, signed numbers, objects, edges, and brackets."""
        closing = OPENING.get(self.tokens[i].text)
        if self._kind(i) != "mark" or closing is None or depth > _MAX_DEPTH:
            return None
        items: list[Any] = []
        place = i + 1
        while place < len(self.tokens):
            if self._is(place, closing):
                return (items, place + 1) if items else None
            if self._is(place, ",", ";"):
                place += 1
                continue
            kind = self._kind(place)
            number, label = self._number(place), self._label(place)
            if kind == "mark" and self.tokens[place].text in OPENING:
                inner = self._tree(place, depth + 1)
                if inner is None:
                    return None
                weight, after = self._weight(inner[1])
                items.append((inner[0], self.tokens[place].text, weight))
                place = after
            elif kind == "object":
                items.append(self.tokens[place].value)
                place += 1
            elif self._link(place + 1):
                before = len(self.found.edges)
                after = self._chain(place)
                if after is None:
                    return None
                items += self.found.edges[before:]
                del self.found.edges[before:]
                place = after
            elif kind != "quoted" and number is not None:
                text = self.tokens[place].text
                whole = isinstance(label, str) and not self._is(place, "-", "+")
                items.append(text if whole else number[0])
                place = number[1]
            elif label is not None:
                items.append(label)
                place += 1
            else:
                return None
        return None

    def _take(self, items: list[Any], opening: str, weight: float | None) -> bool:
        """Add what a bracket says; False where it says nothing that the problem takes."""
        nested = [item for item in items if isinstance(item, tuple)]
        edges = [item for item in items if isinstance(item, ParsedEdge)]
        if nested or edges:
            if len(nested) + len(edges) < len(items) or weight is not None:
                return False
            kept = len(self.found.edges), len(self.found.groups)
            self.found.edges += edges
            if all(self._take(*item) for item in nested):
                return True
            del self.found.edges[kept[0] :], self.found.groups[kept[1] :]
            return False
        if self.problem is None:
            return True
        if self.problem.name == "knapsack":
            columns = self.found.flags.get("columns")
            if columns is None or len(items) != 2 or weight is not None:
                return False
            for name, number in zip((columns, *({"weight", "value"} - {columns})), items,
                                    strict=True):  # fmt: skip
                self.found.lists.setdefault(name, []).append(number)
            return True
        if self._items():
            return False
        grouped = self.problem.hypergraph and (opening == "{" or self.problem.name != "hypermaxcut")
        scalars = all(isinstance(item, (int, str)) for item in items)
        if grouped and scalars and weight is None:
            self.found.groups.append(items)
            return True
        if len(items) == 3 and weight is None:
            *items, weight = items
            if isinstance(weight, dict):
                if weight.keys() - {"weight", "capacity"} or len(weight) != 1:
                    return False
                weight = next(iter(weight.values()))
            if isinstance(weight, bool) or not isinstance(weight, (int, float)):
                return False
        if len(items) != 2 or not all(isinstance(item, (int, str)) for item in items):
            return False
        arrow = False if opening == "{" else None
        self.found.edges.append(ParsedEdge(items[0], items[1], weight, arrow))
        return True
