"""Log-probabilities and entropies of tokens, without the logits of all tokens at once.

Logits of 16,384 tokens over Qwen3's vocabulary of 151,936 are 9.3 GiB in float32, and a softmax
with its gradient keeps several copies. `ScoringHead` makes them for a chunk of tokens at a time and
again in the backward pass. The chunks lie inside one call of one module: DeepSpeed gathers its
weights once a pass, whatever the number of chunks, which differs from rank to rank.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from quasar.policy.legal import LegalTokens

# Float32 logits of one chunk. At most one chunk is kept for the backward pass, none if there are
# more. Laptop models have one.
CHUNK_BYTES = 256 << 20
# Float32 copies of a chunk's logits that live at once: log-probabilities, probabilities, and their
# product or gradient. One more where entropies have a gradient.
CHUNK_COPIES = 3


def chunk_tokens(vocab_size: int) -> int:
    """Tokens of one chunk."""
    return max(1, CHUNK_BYTES // (4 * vocab_size))


class ScoringHead(torch.nn.Linear):
    """A model's output embedding that also scores targets; called with hidden states alone, it
    gives logits."""

    @classmethod
    def install(cls, policy: Any) -> None:
        """Put one in the place of the model's output embedding; it shares the parameters."""
        plain = policy.get_output_embeddings()
        if isinstance(plain, cls):
            return
        with torch.device("meta"):
            head = cls(plain.in_features, plain.out_features, bias=plain.bias is not None)
        head.weight, head.bias = plain.weight, plain.bias
        policy.set_output_embeddings(head.train(plain.training))

    def forward(
        self,
        hidden: torch.Tensor,
        targets: torch.Tensor | None = None,
        temperature: float = 1.0,
        legal: LegalTokens | None = None,
        entropy_gradient: bool = False,
    ) -> Any:
        """hidden: (…, width) gives logits, (…, vocabulary). With targets, (tokens,) ids, and hidden
        (tokens, width): (tokens,) log-probabilities of the targets and (tokens,) entropies, both
        float32; `legal` as in `TokenScorer`. Entropies have a gradient only where it is asked for.
        """
        if targets is None:
            return super().forward(hidden)
        table = index = None
        if legal is not None:
            table = torch.from_numpy(legal.table(self.out_features)).to(hidden.device)
            index = torch.from_numpy(legal.index).long().to(hidden.device)
        return _Scores.apply(
            hidden, self.weight, self.bias, targets, temperature, table, index, entropy_gradient
        )


class _Scores(torch.autograd.Function):
    """Softmax statistics of `hidden @ weight.T + bias`, chunk by chunk.

    With p = softmax(z / T), L = log p[target] and H = −Σ p·log p:
    ∂L/∂z = (1[target] − p) / T and ∂H/∂z = −p·(log p + H) / T.
    """

    @staticmethod
    def forward(ctx, hidden, weight, bias, targets, temperature, table, index, entropy_gradient):
        scores = hidden.new_empty(len(targets), dtype=torch.float32)
        entropy = torch.empty_like(scores)
        chunks = list(_chunks(len(targets), weight.shape[0]))
        kept = None
        for chunk in chunks:
            log_probs = _log_probs(hidden, weight, bias, temperature, table, index, chunk)
            scores[chunk] = log_probs.gather(-1, targets[chunk, None])[:, 0]
            entropy[chunk] = _entropy(log_probs)
            kept = log_probs if len(chunks) == 1 else None
        ctx.save_for_backward(hidden, weight, bias, targets, table, index, entropy, kept)
        ctx.temperature, ctx.entropy_gradient = temperature, entropy_gradient
        if not entropy_gradient:
            ctx.mark_non_differentiable(entropy)
        return scores, entropy

    @staticmethod
    @once_differentiable
    def backward(ctx, by_score, by_entropy):
        hidden, weight, bias, targets, table, index, entropy, kept = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        by_hidden = torch.empty_like(hidden) if wanted[0] else None
        by_weight = torch.zeros_like(weight) if wanted[1] else None
        by_bias = torch.zeros_like(bias) if wanted[2] else None
        for chunk in _chunks(len(targets), weight.shape[0]):
            log_probs = kept
            if log_probs is None:
                log_probs = _log_probs(hidden, weight, bias, ctx.temperature, table, index, chunk)
            probs = log_probs.exp()
            by_logits = probs * -by_score[chunk, None]
            if ctx.entropy_gradient:
                slope = _finite(log_probs).add_(entropy[chunk, None])
                by_logits.addcmul_(probs, slope.mul_(-by_entropy[chunk, None]))
                del slope
            del probs, log_probs
            by_logits.scatter_add_(-1, targets[chunk, None], by_score[chunk, None])
            by_logits = by_logits.div_(ctx.temperature).to(weight.dtype)
            if by_hidden is not None:
                torch.mm(by_logits, weight, out=by_hidden[chunk])
            if by_weight is not None:
                by_weight.addmm_(by_logits.T, hidden[chunk])
            if by_bias is not None:
                by_bias += by_logits.sum(0)
        return by_hidden, by_weight, by_bias, None, None, None, None, None


def _chunks(num_tokens: int, vocab_size: int) -> Iterator[slice]:
    size = chunk_tokens(vocab_size)
    return (slice(start, start + size) for start in range(0, num_tokens, size))


def _log_probs(hidden, weight, bias, temperature, table, index, chunk) -> torch.Tensor:
    """(tokens of the chunk, vocabulary) float32."""
    logits = torch.nn.functional.linear(hidden[chunk], weight, bias).float().div_(temperature)
    if table is not None:
        logits.masked_fill_(~table[index[chunk]], -torch.inf)
    return torch.log_softmax(logits, dim=-1)


def _entropy(log_probs: torch.Tensor) -> torch.Tensor:
    return -torch.linalg.vecdot(log_probs.exp(), _finite(log_probs))


def _finite(log_probs: torch.Tensor) -> torch.Tensor:
    """0·log 0 = 0: a copy without infinities. exp(−1000) is 0 in float32, so that no product with
    a probability changes."""
    return log_probs.clamp(min=-1000.0)


class TokenScorer(torch.nn.Module):
    """Log-probability and entropy of trained targets only: logits are made for no other token."""

    def __init__(self, policy: Any):
        super().__init__()
        ScoringHead.install(policy)
        self.policy = policy

    def forward(
        self,
        input_ids,
        attention_mask,
        trained,
        temperature,
        entropy_gradient=False,
        legal=None,
        prefix: tuple[Any, Any, Any] | None = None,
    ):
        """(tokens,) log-probabilities with gradient, (tokens,) entropies with it where asked.

        input_ids, attention_mask: (rows, time); trained: (rows, time − 1) bool; legal: what each
        trained token was drawn from (None: the vocabulary), the distribution being over that;
        prefix: what rows share, as (prefix_ids, prefix_lengths, prefix_of) of MicroBatch.
        """
        context: dict[str, Any] = {"attention_mask": attention_mask, "use_cache": False}
        if prefix is not None:
            context = self._after(*prefix, attention_mask)
        hidden = self.policy.get_decoder()(input_ids=input_ids, **context).last_hidden_state[:, :-1]
        targets = input_ids[:, 1:][trained]
        head = self.policy.get_output_embeddings()
        return head(hidden[trained], targets, temperature, legal, entropy_gradient)

    def _after(self, ids, lengths, of, attention_mask) -> dict[str, Any]:
        """The decoder's arguments for rows that follow a prefix: its keys and values, computed once
        and with gradient, spread over the rows."""
        time = torch.arange(ids.shape[1], device=ids.device)[None]
        cache = self.policy.get_decoder()(
            input_ids=ids,
            attention_mask=(time < lengths[:, None].clamp(min=1)).long(),
            use_cache=True,
        ).past_key_values
        cache.batch_select_indices(of)
        seen = (time < lengths[:, None]).long()[of]
        rows = torch.arange(attention_mask.shape[1], device=ids.device)[None]
        return dict(
            attention_mask=torch.cat([seen, attention_mask], dim=1),
            position_ids=lengths[of][:, None] + rows,
            past_key_values=cache,
            use_cache=True,
        )
