"""Chat rendering to token ids, the same for training, evaluation and serving.

The prompt is rendered once; afterwards the token buffer only grows: sampled ids are kept as they
were sampled, and a tool observation is appended as the ids that the chat template puts between two
assistant turns. Text that the model wrote is never tokenised again.
"""

from collections.abc import Sequence
from typing import Any

from quasar.errors import ConfigError
from quasar.policy.tool_calls import VERIFY_CIRCUIT

_MARK = "\u241e"  # a symbol that no template and no observation contains


class ChatFormat:
    """Renders messages with a tokenizer's own chat template.

    tool_format "chat_template": the verification tool is declared to the template. Raises
    ConfigError where the template knows no tools.
    """

    def __init__(self, tokenizer: Any, *, tool_format: str = "compact"):
        self.tokenizer = tokenizer
        self.eos_id: int = tokenizer.eos_token_id
        self._tools = [VERIFY_CIRCUIT] if tool_format == "chat_template" else None
        if self._tools and "tools" not in str(tokenizer.chat_template):
            raise ConfigError(
                "generation.tool_format=chat_template: the chat template of "
                f"{tokenizer.name_or_path or 'this tokenizer'} takes no tools; use compact"
            )

    def prompt_ids(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """Ids of the conversation so far, ending where the assistant starts to write."""
        text = self.tokenizer.apply_chat_template(
            list(messages), tools=self._tools, add_generation_prompt=True, tokenize=False
        )
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
        text = self.tokenizer.apply_chat_template(
            [
                {"role": "user", "content": "?"},
                {"role": "assistant", "content": _MARK},
                {"role": "tool", "content": observation},
            ],
            tools=self._tools,
            add_generation_prompt=True,
            tokenize=False,
        )
        after = text.split(_MARK, 1)[1].removeprefix(self.tokenizer.eos_token)
        return self.tokenizer.encode(after, add_special_tokens=False)
