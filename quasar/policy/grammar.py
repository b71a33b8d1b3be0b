"""Grammar-constrained decoding: which tokens may come next so that the answer is a valid program.

Two ways, by the form of the answer and the tokenizer (`TokenGrammar.path`):

- A canonical program for a known problem and family is written by its script
  (`quasar.policy.canonical_script`), where the tokenizer spells the script's choices alike wherever
  they stand: only the choices are drawn, all else is forced, in the ids that the tokenizer makes of
  the text. Its length hardly depends on what is chosen, so a limit below it cuts the answer.
- Everything else is a regular language (`quasar.policy.patterns`), which outlines-core turns, once
  for a tokenizer and a pattern, into an automaton over whole tokens. That gives more than a mask:
  the fewest tokens that finish the program from any state, so that decoding is steered to a legal
  end exactly where the token limit asks for it and nowhere earlier.
"""

from collections.abc import Mapping, Sequence, Set
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, Protocol, Union

import numpy as np
import torch
from outlines_core import Index, Vocabulary

from quasar.policy.canonical_script import script
from quasar.policy.legal import LegalTokens, place_of
from quasar.policy.patterns import alphabet, form_pattern
from quasar.policy.program_form import ProgramForm
from quasar.policy.spelling import Spelling
from quasar.tasks.writing import Script

_FIRST_MASKS = 64
_MOST_MASKS = 2048
_KEPT = 4096  # choices whose ids are kept
_NO_LIMIT = 1 << 30  # tokens


class ProgramAutomaton:
    """The programs of one pattern, over the tokens of one tokenizer.

    States are small integers, `start` the first. Immutable once built.
    """

    def __init__(self, vocabulary: Vocabulary, pattern: str, *, eos_id: int):
        index = Index(pattern, vocabulary)
        edges = index.get_transitions()
        names = {name: state for state, name in enumerate(sorted(edges))}
        self.pattern = pattern
        self.start = names[index.get_initial_state()]
        self.final = frozenset(names[name] for name in index.get_final_states())
        self.eos_id = eos_id
        self._next: list[dict[int, int]] = [{} for _ in names]
        for name, state in names.items():
            following = {t: names[to] for t, to in edges[name].items() if t != eos_id}
            self._next[state] = dict(sorted(following.items()))
        self._costs = self._tokens_to_finish()

    @cached_property
    def shortest(self) -> int:
        """Tokens of the shortest program, the end-of-turn token included."""
        return int(self._costs[self.start])

    def advance(self, state: int, token: int) -> int:
        """The state after a legal token; the end-of-turn token leaves it where it is."""
        return state if token == self.eos_id else self._next[state][token]

    def horizon(self, state: int) -> int:
        """With so many tokens left, or more, every legal token leaves room to finish."""
        return self._horizons[state]

    @cached_property
    def _horizons(self) -> list[int]:
        costs = self._costs.tolist()
        return [1 + max((costs[to] for to in set(n.values())), default=0) for n in self._next]

    def legal(self, state: int, remaining: int) -> np.ndarray:
        """Sorted ids that may come next so that the program ends within `remaining` tokens.

        Only the end-of-turn token where the program is complete. Where even the shortest ending is
        too long, all ids that the grammar allows: the answer will be cut at its limit.
        """
        if state in self.final:
            return np.array([self.eos_id], np.int32)
        following = self._next[state]
        fitting = [t for t, to in following.items() if 1 + self._costs[to] <= remaining]
        return np.array(fitting or list(following), np.int32)

    def _tokens_to_finish(self) -> np.ndarray:
        """(states,) fewest tokens to the end of turn: breadth first, from the final states back."""
        before: list[set[int]] = [set() for _ in self._next]
        for state, following in enumerate(self._next):
            for to in set(following.values()):
                before[to].add(state)
        costs = np.full(len(self._next), np.iinfo(np.int32).max // 2)
        front, cost = set(self.final), 1
        while front:
            costs[list(front)] = cost
            cost += 1
            front = {s for to in front for s in before[to] if costs[s] > cost}
        return costs


class ProgramPath(Protocol):
    """Where one sequence stands in its grammar."""

    @property
    def grammar(self) -> "TokenGrammar":
        """That has the legal sets."""
        ...

    def row(self, remaining: int) -> int:
        """Number of the legal set of the next token, with so many tokens left."""
        ...

    def take(self, token: int) -> None:
        """Go on by a legal token."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the program has ended: only the end of the turn may follow."""
        ...

    def forced(self) -> tuple[Sequence[int], bool]:
        """Ids that must come next, and whether the turn ends with them: then the end is the last.
        They need no model. Empty where that is not known at once.
        """
        ...


class Options(NamedTuple):
    """What may come next of some choices: the number of the legal set, and by token the choice that
    is made with it, or the options behind it.
    """

    number: int
    after: Mapping[int, Union["Options", str]]


class TokenGrammar:
    """The grammars of one tokenizer, and the masks of their legal sets on the model's device.

    eos_id: the token that ends a program's turn; default: the tokenizer's own.
    """

    def __init__(
        self, tokenizer: Any, *, vocab_size: int, device: Any = "cpu", eos_id: int | None = None
    ):
        self.eos_id = tokenizer.eos_token_id if eos_id is None else eos_id
        self._tokenizer = tokenizer
        self._spelling = Spelling(tokenizer)
        self.encode = self._spelling.encode
        self.options = lru_cache(maxsize=_KEPT)(self._options)
        self._automata: dict[str, ProgramAutomaton] = {}
        self._sets: list[np.ndarray] = []
        self._places: dict[bytes, int] = {}
        self._rows: dict[tuple[str, int, int], int] = {}
        self._mask_of: dict[int, int] = {}  # by number of the set
        self._masks = torch.zeros(_FIRST_MASKS, vocab_size, dtype=torch.bool, device=device)

    def path(self, form: ProgramForm) -> ProgramPath:
        """The beginning of a program of this form."""
        written = script(form, self._spelling)
        if written is not None:
            return ScriptPath(self, written)
        return AutomatonPath(self, self.automaton(form))

    @cached_property
    def _pieces(self) -> dict[bytes, list[int]]:
        return ascii_pieces(self._tokenizer, but={self.eos_id})

    def automaton(self, form: ProgramForm) -> ProgramAutomaton:
        """The automaton of the form's pattern: built at its first use (tenths of a second for fifty
        thousand tokens), then kept.
        """
        pattern = form_pattern(form)
        if pattern not in self._automata:
            # In every state each token is tried: most have a letter that no program has.
            letters = alphabet(pattern).encode()
            pieces = {p: ids for p, ids in self._pieces.items() if not p.translate(None, letters)}
            self._automata[pattern] = ProgramAutomaton(
                Vocabulary(self.eos_id, pieces), pattern, eos_id=self.eos_id
            )
        return self._automata[pattern]

    def row(self, automaton: ProgramAutomaton, state: int, remaining: int) -> int:
        """Number of the legal set at a state with so many tokens left."""
        key = (automaton.pattern, state, min(remaining, automaton.horizon(state)))
        if key not in self._rows:
            self._rows[key] = self.number(automaton.legal(state, remaining))
        return self._rows[key]

    def number(self, tokens: np.ndarray) -> int:
        """Number of a legal set: sorted ids, int32."""
        return place_of(tokens, self._places, self._sets)

    def masks(self, rows: Sequence[int]) -> torch.Tensor:
        """(len(rows), vocab) bool: True where a token is legal."""
        new = [row for row in dict.fromkeys(rows) if row not in self._mask_of]
        if len(self._mask_of) + len(new) > _MOST_MASKS:  # begin again: a script has many sets
            self._mask_of.clear()
            new = list(dict.fromkeys(rows))
        for row in new:
            place = self._mask_of[row] = len(self._mask_of)
            if place == len(self._masks):
                self._masks = torch.cat([self._masks, torch.zeros_like(self._masks)])
            self._masks[place] = False
            tokens = torch.from_numpy(self._sets[row]).long().to(self._masks.device)
            self._masks[place, tokens] = True
        places = [self._mask_of[row] for row in rows]
        return self._masks[torch.tensor(places, device=self._masks.device)]

    def record(self, rows: Sequence[int]) -> LegalTokens:
        """The legal sets of a sequence whose tokens were drawn from the sets of these numbers."""
        used, index = np.unique(np.asarray(rows, np.int32), return_inverse=True)
        return LegalTokens(index.astype(np.int32), tuple(self._sets[row] for row in used))

    def follow(self, form: ProgramForm, token_ids: Sequence[int]) -> LegalTokens | None:
        """The record of a written answer by the script of its form; None where there is no script,
        or where the answer leaves it.
        """
        written = script(form, self._spelling)
        if written is None:
            return None
        path, rows = ScriptPath(self, written), []
        for token in token_ids:
            rows.append(path.row(_NO_LIMIT))
            if token not in self._sets[rows[-1]]:
                return None
            path.take(token)
        return self.record(rows)

    def _options(self, choices: tuple[str, ...]) -> Options:
        """Where no choice is made yet; of none: the end of the turn's."""
        if not choices:
            return Options(self.number(np.array([self.eos_id], np.int32)), {})
        return self._behind([(self.encode(choice), choice) for choice in choices])

    def _behind(self, spelt: Sequence[tuple[tuple[int, ...], str]]) -> Options:
        """Options of choices with what is left of their ids, none the beginning of another's."""
        by_first: dict[int, list[tuple[tuple[int, ...], str]]] = {}
        for (first, *rest), choice in spelt:
            by_first.setdefault(first, []).append((tuple(rest), choice))
        after = {
            token: some[0][1] if not some[0][0] else self._behind(some)
            for token, some in sorted(by_first.items())
        }
        return Options(self.number(np.array(list(after), np.int32)), after)


class AutomatonPath:
    """Where one sequence stands in a regular language. See `ProgramPath`."""

    __slots__ = ("_automaton", "_state", "grammar")

    def __init__(self, grammar: TokenGrammar, automaton: ProgramAutomaton):
        self.grammar, self._automaton = grammar, automaton
        self._state = automaton.start

    def row(self, remaining: int) -> int:
        return self.grammar.row(self._automaton, self._state, remaining)

    def take(self, token: int) -> None:
        self._state = self._automaton.advance(self._state, token)

    @property
    def complete(self) -> bool:
        return self._state in self._automaton.final

    def forced(self) -> tuple[Sequence[int], bool]:
        return (), False


class ScriptPath:
    """Where one sequence stands in its script. See `ProgramPath`."""

    __slots__ = ("_at", "_forced", "_options", "_script", "grammar")

    def __init__(self, grammar: TokenGrammar, script: Script):
        self.grammar, self._script = grammar, script
        self._enter(*next(script))

    def _enter(self, text: str, choices: tuple[str, ...]) -> None:
        self._forced, self._at = self.grammar.encode(text), 0
        self._options = self.grammar.options(choices)

    def row(self, remaining: int) -> int:
        if self._at < len(self._forced):
            return self.grammar.number(np.array([self._forced[self._at]], np.int32))
        return self._options.number

    def take(self, token: int) -> None:
        if self._at < len(self._forced):
            self._at += 1
        elif self._options.after:
            made = self._options.after[token]
            if isinstance(made, str):
                self._enter(*self._script.send(made))
            else:
                self._options = made

    @property
    def complete(self) -> bool:
        return self._at == len(self._forced) and not self._options.after

    def forced(self) -> tuple[Sequence[int], bool]:
        text, options = [*self._forced[self._at :]], self._options
        if not options.after:
            return [*text, self.grammar.eos_id], True
        while len(options.after) == 1:  # all choices go on alike
            ((token, behind),) = options.after.items()
            text.append(token)
            if isinstance(behind, str):
                break
            options = behind
        return text, False


def ascii_pieces(tokenizer: Any, *, but: Set[int] = frozenset()) -> dict[bytes, list[int]]:
    """Text of each token that is plain ASCII, as it reads behind other text → its ids.

    Special tokens, and the ids `but`, are left out. Each id is decoded behind an anchor, because
    some tokenizers strip the blank of a leading piece.
    """
    anchor = tokenizer.encode("a", add_special_tokens=False)[-1]
    before = tokenizer.decode([anchor])
    special = {*tokenizer.all_special_ids, *but}
    ids = [i for i in range(len(tokenizer)) if i not in special]
    texts = tokenizer.batch_decode([[anchor, i] for i in ids], clean_up_tokenization_spaces=False)
    pieces: dict[bytes, list[int]] = {}
    for i, text in zip(ids, texts, strict=True):
        piece = text.removeprefix(before)
        if piece and piece.isascii():
            pieces.setdefault(piece.encode(), []).append(i)
    return pieces
