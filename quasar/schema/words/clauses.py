"""The rules for what stands on single nodes and in clauses: "0:-1.5", "(a or not b):3".

As those of `quasar.schema.words.edges`: from the place of a token to the place behind what was
taken, or None.
"""

from quasar.schema.words.parsed import Label, ParsedClause
from quasar.schema.words.phrase_reader import OPENING, PhraseReader

_NOT = ("not", "!", "~", "¬", "-", "−")
_OR = ("or", "|", "||", "∨", ",", "v")
_AND = ("and", "&", "&&", "∧")


class ClauseRules(PhraseReader):
    """Rules that find the numbers of single nodes, and clauses."""

    def _field(self, i: int) -> int | None:
        """ "0:-1.5": the number of a node, where edges have numbers too."""
        if self.problem is None or self.problem.node_fields != ("weight",) or self._items():
            return None
        label = self._label(i)
        if label is None or self._link(i + 1) or not self._is(i + 1, ":", "="):
            return None
        number = self._number(i + 2)
        if number is None:
            return None
        if label in self.found.fields:
            self.found.faults.append(f"node {label} is given twice; add its numbers")
        self.found.fields[label] = number[0]
        return number[1]

    def _clause(self, i: int) -> int | None:
        """ "(a or not b):3", "{1, -2}"; also the word between two clauses."""
        if self.problem is None or not self.problem.hyperedge_fields:
            return None
        if self._is(i, *_AND):
            return i + 1 if self.found.clauses else None
        closing = OPENING.get(self.tokens[i].text) if self._kind(i) == "mark" else None
        if closing is None:
            return None
        nodes: list[Label] = []
        negated: list[Label] = []
        place = i + 1
        while not self._is(place, closing):
            if nodes:
                if not self._is(place, *_OR):
                    return None
                place += 1
            against = self._is(place, *_NOT)
            place += against
            label = self._label(place, any_word=True)
            if label is None or label in nodes:
                return None
            nodes.append(label)
            negated += [label] if against else []
            place += 1
        if not nodes:
            return None
        weight, after = self._weight(place + 1)
        self.found.clauses.append(ParsedClause(tuple(nodes), tuple(negated), weight))
        return after
