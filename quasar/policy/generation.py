"""Sampling from the policy: batched decoding with a key/value cache.

`sample` takes prompt token ids and gives, for each, the sampled ids with their log-probabilities.
Each sequence draws from its own random stream, keyed by the seed given for it, so that what it
writes does not depend on its place in a batch. Log-probabilities are those of the full distribution
at the sampling temperature (nucleus truncation not renormalised), which is what the learner
recomputes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from quasar.policy.chat import ChatFormat
from quasar.policy.models import load_policy, pick_device

# Rows that have ended are dropped from the batch when they are at least this share of it.
_COMPACT_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw: temperature > 0, nucleus mass in (0, 1], most new tokens."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 256


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled answer. `finished` is False where it was cut at the token limit."""

    text: str
    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...]
    finished: bool


class CircuitGenerator:
    """A causal language model with its tokenizer, ready to be sampled from."""

    def __init__(self, model: Any, tokenizer: Any, *, batch_size: int = 128):
        self.model = model
        self.tokenizer = tokenizer
        self.chat = ChatFormat(tokenizer)
        self.batch_size = batch_size

    @classmethod
    def load(
        cls,
        directory: str | Path,
        *,
        device: str = "auto",
        dtype: str = "float32",
        batch_size: int = 128,
    ) -> "CircuitGenerator":
        """Load a Hugging Face directory or hub name; raises CheckpointError if it is not one."""
        where = pick_device() if device == "auto" else device
        return cls(*load_policy(directory, device=where, dtype=dtype), batch_size=batch_size)

    def generate(
        self,
        prompts: Sequence[Sequence[dict[str, str]]],
        *,
        samples: int,
        sampling: Sampling,
        seed: int,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Completion]]:
        """`samples` completions of each chat prompt, in order; `progress(n)` after each batch."""
        ids = [self.chat.prompt_ids(messages) for messages in prompts]
        flat = [prompt for prompt in ids for _ in range(samples)]
        seeds = [stream_seed(seed, p, s) for p in range(len(ids)) for s in range(samples)]
        done = self.sample(flat, seeds=seeds, sampling=sampling, progress=progress)
        return [done[i : i + samples] for i in range(0, len(done), samples)]

    def sample(
        self,
        prompt_ids: Sequence[Sequence[int]],
        *,
        seeds: Sequence[int],
        sampling: Sampling,
        max_tokens: Sequence[int] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Completion]:
        """One completion of each token sequence, drawn from the stream of its seed, in order.

        `max_tokens` gives each sequence its own limit (at most `sampling.max_tokens`).
        """
        limits = list(max_tokens) if max_tokens else [sampling.max_tokens] * len(prompt_ids)
        order = sorted(range(len(prompt_ids)), key=lambda i: (len(prompt_ids[i]), i))
        results: list[Completion | None] = [None] * len(prompt_ids)
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            decoded = self._decode(
                [list(prompt_ids[i]) for i in batch],
                [seeds[i] for i in batch],
                [min(limits[i], sampling.max_tokens) for i in batch],
                sampling,
            )
            for i, completion in zip(batch, decoded, strict=True):
                results[i] = completion
            if progress is not None:
                progress(len(batch))
        return results  # type: ignore[return-value]

    @torch.inference_mode()
    def _decode(
        self,
        prompts: list[list[int]],
        seeds: list[int],
        limits: list[int],
        sampling: Sampling,
    ) -> list[Completion]:
        longest = max(limits)
        device = self.model.device
        rows = len(prompts)
        width = max(map(len, prompts))
        pad, eos = self.tokenizer.pad_token_id, self.chat.eos_id
        ids = torch.full((rows, width), pad, device=device)
        mask = torch.zeros((rows, width), dtype=torch.long, device=device)
        for r, prompt in enumerate(prompts):  # left padding: all rows end at the same column
            ids[r, width - len(prompt) :] = torch.tensor(prompt, device=device)
            mask[r, width - len(prompt) :] = 1
        draws = uniform_draws(seeds, longest).to(device)  # (rows, longest)
        limit = torch.tensor(limits, device=device)
        tokens = torch.full((rows, longest), pad, device=device)
        log_probs = torch.zeros((rows, longest), device=device)
        lengths = torch.zeros(rows, dtype=torch.long, device=device)
        finished = torch.zeros(rows, dtype=torch.bool, device=device)

        cache = DynamicCache(config=self.model.config)
        active = torch.arange(rows, device=device)  # row of the batch -> row of the result
        position = mask.cumsum(-1) - 1
        step_ids, step_position = ids, position.clamp(min=0)
        for t in range(longest):
            output = self.model(
                input_ids=step_ids,
                attention_mask=mask,
                position_ids=step_position,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            chosen, log_prob = draw(output.logits[:, -1], draws[active, t], sampling)
            # ended rows may ride along until the batch is compacted
            running = ~finished[active] & (limit[active] > t)
            rows_now = active[running]
            tokens[rows_now, t], log_probs[rows_now, t] = chosen[running], log_prob[running]
            lengths[rows_now] = t + 1
            finished[rows_now] = chosen[running] == eos
            running = ~finished[active] & (limit[active] > t + 1)
            num_running = int(running.sum())
            if num_running == 0:
                break
            step_position = step_position[:, -1:] + 1
            if num_running <= (1 - _COMPACT_SHARE) * len(active):
                keep = running.nonzero(as_tuple=True)[0]
                cache.batch_select_indices(keep)
                active, chosen, mask = active[keep], chosen[keep], mask[keep]
                step_position = step_position[keep]
            mask = torch.cat([mask, mask.new_ones(len(active), 1)], dim=1)
            step_ids = chosen[:, None]
        return self._completions(tokens, log_probs, lengths, finished)

    def _completions(self, tokens, log_probs, lengths, finished) -> list[Completion]:
        completions = []
        for row, log_row, length, done in zip(
            tokens.cpu(), log_probs.cpu(), lengths.tolist(), finished.tolist(), strict=True
        ):
            ids = row[:length].tolist()
            text = self.tokenizer.decode(ids[:-1] if done else ids, skip_special_tokens=True)
            completions.append(Completion(text, tuple(ids), tuple(log_row[:length].tolist()), done))
        return completions


def draw(
    logits: torch.Tensor, uniform: torch.Tensor, sampling: Sampling
) -> tuple[torch.Tensor, torch.Tensor]:
    """Inverse-CDF sampling. logits (rows, vocab), uniform (rows,) in [0, 1).

    Returns chosen ids (rows,) and their log-probabilities (rows,) at the temperature.
    """
    log_probs = torch.log_softmax(logits.float() / sampling.temperature, dim=-1)
    probabilities = log_probs.exp()
    if sampling.top_p < 1.0:
        ordered, index = probabilities.sort(dim=-1, descending=True)
        # keep the smallest set of tokens whose mass reaches top_p (always the first one)
        outside = ordered.cumsum(-1) - ordered >= sampling.top_p
        probabilities = ordered.masked_fill(outside, 0.0)
    else:
        index = None
    cumulative = probabilities.double().cumsum(-1)
    target = uniform.double()[:, None] * cumulative[:, -1:]
    place = torch.searchsorted(cumulative, target, right=True)
    place = place.clamp(max=probabilities.shape[-1] - 1)
    chosen = place if index is None else index.gather(-1, place)
    return chosen[:, 0], log_probs.gather(-1, chosen)[:, 0]


def stream_seed(*key: int) -> int:
    """One 63-bit seed from a tuple of non-negative integers (run, step, prompt, sample, …)."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)


def uniform_draws(seeds: Sequence[int], count: int) -> torch.Tensor:
    """(len(seeds), count) uniform numbers in [0, 1), row i from the stream of seeds[i]."""
    return torch.from_numpy(np.stack([np.random.default_rng(s).random(count) for s in seeds]))
