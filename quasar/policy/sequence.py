"""The tokens of one rollout or example: what is read, what is written, and by which odds."""

import zlib
from dataclasses import dataclass

import numpy as np

from quasar.policy.legal import LegalTokens


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """A prompt and what follows it. `mask` and `log_probs` belong to the response tokens."""

    prompt_ids: np.ndarray  # (prompt,), int32
    response_ids: np.ndarray  # (response,), int32: sampled and observation tokens
    mask: np.ndarray  # (response,), 1 where the policy sampled the token: it is trained on
    log_probs: np.ndarray  # (response,), float32, of the policy that sampled; 0 where mask is 0
    legal: LegalTokens | None = None  # (response,): what constrained tokens were drawn from

    @property
    def counts(self) -> "TokenCounts":
        """What is known of it without its tokens."""
        return TokenCounts(
            prompt=len(self.prompt_ids),
            response=len(self.response_ids),
            sampled=int(self.mask.sum()),
            prompt_key=zlib.crc32(self.prompt_ids.tobytes()),
        )


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Size of a sequence, for whoever plans with it and need not read it."""

    prompt: int
    response: int
    sampled: int  # response tokens that the policy sampled
    prompt_key: int  # equal for equal prompts

    @property
    def total(self) -> int:
        """Prompt and response."""
        return self.prompt + self.response
