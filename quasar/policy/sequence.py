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
    mask: np.ndarray  # (response,), 1 where the policy wrote the token
    log_probs: np.ndarray  # (response,), float32, of the policy that sampled; 0 where mask is 0
    legal: LegalTokens | None = None  # (response,): what constrained tokens were drawn from
    # (response,), int32: of the weights that each token was drawn from, −1 where that is not known
    versions: np.ndarray | None = None

    @property
    def trained(self) -> np.ndarray:
        """(response,) bool: tokens that the policy chose. What the grammar forced has probability
        1 under any weights: it has no gradient, and would only water down means over tokens.
        """
        written = self.mask.astype(bool)
        return written if self.legal is None else written & self.legal.free

    @property
    def counts(self) -> "TokenCounts":
        """What is known of it without its tokens."""
        trained = np.flatnonzero(self.trained)
        return TokenCounts(
            prompt=len(self.prompt_ids),
            response=len(self.response_ids),
            sampled=int(self.mask.sum()),
            trained=len(trained),
            scored=int(trained[-1]) + 1 if len(trained) else 0,
            prompt_key=zlib.crc32(self.prompt_ids.tobytes()),
            versions=self._versions_trained(),
        )

    def _versions_trained(self) -> tuple[tuple[int, int], ...]:
        if self.versions is None:
            return ()
        known = self.versions[self.trained & (self.versions >= 0)]
        versions, numbers = np.unique(known, return_counts=True)
        return tuple(zip(versions.tolist(), numbers.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Size of a sequence, for whoever plans with it and need not read it."""

    prompt: int
    response: int
    sampled: int  # response tokens that the policy wrote
    trained: int  # of those, tokens that it chose
    scored: int  # response tokens up to the last that it chose: no later one enters a loss
    prompt_key: int  # equal for equal prompts
    # Weights that trained tokens were drawn from, oldest first: (version, number of tokens)
    versions: tuple[tuple[int, int], ...] = ()

    @property
    def total(self) -> int:
        """What a learner reads: the prompt, and the response as far as it is scored."""
        return self.prompt + self.scored
