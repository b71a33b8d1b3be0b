"""Chat rendering to token ids, the same for training, evaluation and serving.

The prompt is rendered once; afterwards the token buffer only grows: sampled ids are kept as they
were sampled, and a tool observation is appended as the ids that the chat template puts between two
assistant turns. Text that the model wrote is never tokenised again.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from jinja2.exceptions import TemplateError

from quasar.errors import CheckpointError, ConfigError
from quasar.policy.tool_calls import DECLARATIONS

_MARK = "\u241e"  # a symbol that no template and no observation contains
_TAG = re.compile(r"\s*[<\[].*[>\]]\s*", re.DOTALL)  # as tokens that mark turns are written


class ChatFormat:
    """Renders messages with a tokenizer's own chat template.

    tool_format "chat_template": the tools (as `generation.tools`) are declared to the template.
    end_ids: the tokens at which the model's own generation settings end (`models.generation_ends`).

    eos_id: what ends an assistant's turn in training: the template's own end-of-turn token, else
    the tokenizer's. end_ids: whatever ends a sampled turn: that one, the tokenizer's and the given.

    Raises ConfigError where the template knows no tools, CheckpointError where there is no
    template, one that cannot render a question, or no token that ends a turn.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        tool_format: str = "compact",
        tools: Sequence[str] = ("verify",),
        end_ids: Iterable[int] = (),
    ):
        self.tokenizer = tokenizer
        self._name = tokenizer.name_or_path or "this model"
        if not tokenizer.chat_template:
            raise CheckpointError(
                f"{self._name}: the tokenizer has no chat template, so there is no way to ask the "
                "model; give a model tuned for chat, or put the template it was trained with into "
                "chat_template.jinja there"
            )
        self._tools = None
        if tool_format == "chat_template":
            self._tools = [DECLARATIONS[name] for name in tools]
        known = {*end_ids, tokenizer.eos_token_id} - {None}
        end, self._turn_end = self._end_of_turn(known)
        if end is None and tokenizer.eos_token_id is None and not known:
            raise CheckpointError(
                f"{self._name}: no token ends a turn: neither the chat template, nor eos_token of "
                "the tokenizer, nor eos_token_id of generation_config.json names one; set eos_token"
            )
        if end is None:
            end = tokenizer.eos_token_id
        self.eos_id: int = min(known) if end is None else end
        self.end_ids: frozenset[int] = frozenset({*known, self.eos_id})
        if self._tools and "tools" not in str(tokenizer.chat_template):
            raise ConfigError(
                "generation.tool_format=chat_template: the chat template of "
                f"{self._name} takes no tools; use compact"
            )

    def ended(self, ids: Sequence[int]) -> bool:
        """Whether these ids end with a token that ends the turn."""
        return bool(ids) and ids[-1] in self.end_ids

    def require_tool_turns(self) -> None:
        """Raises CheckpointError where the template cannot render the tool's answer."""
        self._between_turns("")

    def prompt_ids(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """Ids of the conversation so far, ending where the assistant starts to write."""
        text = self._render(messages, generation_prompt=True)
        return self.tokenizer.encode(text, add_special_tokens=False)

    def answer_ids(self, text: str) -> list[int]:
        """Ids of a full assistant answer, end-of-turn token included (for supervised training)."""
        return [*self.tokenizer.encode(text, add_special_tokens=False), self.eos_id]

    def observation_ids(
        self, observation: str, *, max_tokens: int, ended: bool = True
    ) -> list[int]:
        """Ids that follow an assistant turn: the tool's turn and the next assistant header.

        The observation is cut so that the whole is at most `max_tokens` long. ended: whether the
        turn has its end-of-turn token; else that comes first.
        """
        end = [] if ended else [self.eos_id]
        room = max_tokens - len(end)
        body = self.tokenizer.encode(observation, add_special_tokens=False)
        frame = len(self._between_turns(""))
        kept = self.tokenizer.decode(body[: max(0, room - frame)])
        return end + self._between_turns(kept)[:room]

    def _between_turns(self, observation: str) -> list[int]:
        turns = [
            {"role": "user", "content": "?"},
            {"role": "assistant", "content": _MARK},
            {"role": "tool", "content": observation},
        ]
        text = self._render(turns, generation_prompt=True)
        after = text.split(_MARK, 1)[1].removeprefix(self._turn_end)
        return self.tokenizer.encode(after, add_special_tokens=False)

    def _end_of_turn(self, known: set[int]) -> tuple[int | None, str]:
        """The token that the template puts behind an assistant's turn, and the text up to its end;
        (None, "") where it puts none there.
        """
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _MARK}]
        after = self._render(turns, generation_prompt=False).partition(_MARK)[2]
        added = self.tokenizer.added_tokens_decoder
        for token in self.tokenizer.encode(after, add_special_tokens=False):
            if token in known or (
                token in added and (added[token].special or _TAG.fullmatch(added[token].content))
            ):
                text = self.tokenizer.convert_ids_to_tokens(token)
                before, found, _ = after.partition(text)
                return (token, before + found) if not before.strip() else (None, "")
        return None, ""

    def _render(self, messages: Sequence[dict[str, str]], *, generation_prompt: bool) -> str:
        try:
            return self.tokenizer.apply_chat_template(
                list(messages),
                tools=self._tools,
                add_generation_prompt=generation_prompt,
                tokenize=False,
            )
        except (TemplateError, TypeError, ValueError) as error:
            roles = ", ".join(message["role"] for message in messages)
            raise CheckpointError(
                f"{self._name}: its chat template cannot render a conversation of the roles "
                f"{roles} ({error}); give a model whose template does"
            ) from error
