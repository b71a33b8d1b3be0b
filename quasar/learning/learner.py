"""The learner: a causal language model inside a DeepSpeed ZeRO engine. Knows nothing of Ray.

One object is one data-parallel rank; the caller has set up torch.distributed. `train_step` runs a
rank's micro-batches and takes one optimiser step on gradients normalised by the token count of the
whole step. Calls on all ranks must agree: forward, gather and save are collective.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from quasar.config import GrpoConfig, LearnerConfig, PolicyConfig
from quasar.errors import CheckpointError
from quasar.learning.losses import grpo_loss, supervised_loss
from quasar.learning.packing import MicroBatch
from quasar.policy.models import load_policy

_TAG = "engine"
_LARGEST_BUCKET = 500_000_000  # elements; DeepSpeed's own default


@dataclass(frozen=True, slots=True)
class Objective:
    """What a step optimises: supervised likelihood, or the GRPO loss with its settings."""

    kind: str  # "supervised" or "grpo"
    temperature: float = 1.0
    clip_low: float = 0.2
    clip_high: float = 0.28
    kl_coefficient: float = 0.0

    @classmethod
    def of_grpo(cls, config: GrpoConfig, temperature: float) -> "Objective":
        """The GRPO loss at the temperature at which rollouts are sampled."""
        return cls("grpo", temperature, config.clip_low, config.clip_high, config.kl_coefficient)


class TokenScorer(torch.nn.Module):
    """Log-probability and entropy of trained targets only: logits are made for no other token."""

    def __init__(self, policy: Any):
        super().__init__()
        self.policy = policy

    def forward(self, input_ids, attention_mask, trained, temperature, legal=None):
        """(tokens,) log-probabilities with gradient and (tokens,) entropies without.

        input_ids, attention_mask: (rows, time); trained: (rows, time − 1) bool; legal: what
        each trained token was drawn from (None: the vocabulary), the distribution being over that.
        """
        hidden = self.policy.get_decoder()(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False
        ).last_hidden_state[:, :-1]
        logits = self.policy.get_output_embeddings()(hidden[trained]).float() / temperature
        if legal is not None:
            table = torch.from_numpy(legal.table(logits.shape[-1])).to(logits.device)
            index = torch.from_numpy(legal.index).long().to(logits.device)
            logits = logits.masked_fill(~table[index], -torch.inf)
        log_probs = torch.log_softmax(logits, dim=-1)
        targets = input_ids[:, 1:][trained]
        with torch.no_grad():
            # 0·log 0 = 0
            finite = log_probs.masked_fill(log_probs == -torch.inf, 0.0)
            entropy = -(log_probs.exp() * finite).sum(-1)
        return log_probs.gather(-1, targets[:, None])[:, 0], entropy


class PolicyLearner:
    """One rank of the learner."""

    def __init__(
        self,
        model: str | Path,
        *,
        policy: PolicyConfig,
        config: LearnerConfig,
        device: str,
        world_size: int = 1,
        keep_reference: bool = False,
    ):
        os.environ.setdefault("DS_ACCELERATOR", "cuda" if device == "cuda" else "cpu")
        import deepspeed  # imported late: it reads DS_ACCELERATOR and takes seconds

        self._deepspeed = deepspeed
        self.config, self.device, self.world_size = config, device, world_size
        network, self.tokenizer = load_policy(model, device=device, dtype=policy.dtype)
        if policy.gradient_checkpointing:
            network.gradient_checkpointing_enable()
        self.reference = None
        if keep_reference:
            frozen, _ = load_policy(model, device=device, dtype=policy.dtype)
            self.reference = TokenScorer(frozen.requires_grad_(False))
        scorer = TokenScorer(network.train())
        optimizer = torch.optim.AdamW(
            scorer.parameters(),
            lr=1e-6,  # set at each step
            betas=(0.9, config.adam_beta2),
            weight_decay=config.weight_decay,
        )
        self.engine, self.optimizer, _, _ = deepspeed.initialize(
            model=scorer,
            optimizer=optimizer,
            config=engine_config(config, policy, num_parameters=network.num_parameters()),
            dist_init_required=False,
        )

    @property
    def pad_id(self) -> int:
        """Token id that fills the padding."""
        return self.tokenizer.pad_token_id

    def train_step(
        self,
        micro_batches: Sequence[MicroBatch],
        *,
        objective: Objective,
        learning_rate: float,
        num_tokens: int,
    ) -> dict[str, float]:
        """One optimiser step. num_tokens: trained tokens of the step over all ranks (> 0).

        Returns this rank's sums over its tokens (loss already divided by num_tokens), and the
        gradient norm before clipping.
        """
        for group in self.engine.optimizer.param_groups:
            group["lr"] = learning_rate
        sums: dict[str, float] = {"tokens": 0.0}
        for index, batch in enumerate(micro_batches):
            self.engine.set_gradient_accumulation_boundary(index + 1 == len(micro_batches))
            loss, parts = self._loss(batch, objective)
            loss = loss / num_tokens
            # DeepSpeed averages gradients over ranks; the sum over ranks is wanted.
            self.engine.backward(loss * self.world_size)
            parts["loss"] = loss.detach()
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value)
            sums["tokens"] += batch.num_tokens
        self.engine.step()
        sums["gradient_norm"] = float(self.engine.get_global_grad_norm() or 0.0)
        return sums

    def _loss(self, batch: MicroBatch, objective: Objective):
        ids, mask, trained = (
            torch.from_numpy(a).to(self.device)
            for a in (batch.input_ids, batch.attention_mask, batch.trained)
        )
        log_probs, entropy = self.engine(ids, mask, trained, objective.temperature, batch.legal)
        # An empty micro-batch still needs a graph through every parameter.
        anchor = log_probs.sum() * 0.0
        if objective.kind == "supervised":
            return supervised_loss(log_probs) + anchor, {"entropy": entropy.sum()}
        per_token = batch.advantages[:, None].repeat(batch.trained.shape[1], axis=1)
        reference = None
        if self.reference is not None:
            with torch.no_grad():
                reference, _ = self.reference(
                    ids, mask, trained, objective.temperature, batch.legal
                )
        result = grpo_loss(
            log_probs,
            torch.from_numpy(batch.old_log_probs[batch.trained]).to(self.device),
            torch.from_numpy(per_token[batch.trained]).to(self.device),
            clip_low=objective.clip_low,
            clip_high=objective.clip_high,
            reference_log_probs=reference,
            kl_coefficient=objective.kl_coefficient,
        )
        parts = {
            "entropy": entropy.sum(),
            "clipped": result.clipped,
            "sampler_kl": result.sampler_kl,
            "reference_kl": result.reference_kl,
        }
        return result.loss + anchor, parts

    def gather_weights(self) -> dict[str, np.ndarray]:
        """All weights by Hugging Face name, as float32 arrays (bfloat16 has no numpy type).

        Collective under ZeRO-3: every rank must call it; every rank gets them.
        """
        policy = self.engine.module.policy
        if self.config.zero_stage < 3:
            return {k: _to_numpy(v) for k, v in policy.state_dict().items()}
        with self._deepspeed.zero.GatheredParameters(list(policy.parameters())):
            return {k: _to_numpy(v) for k, v in policy.state_dict().items()}

    def save(self, directory: Path, *, rank: int) -> None:
        """Engine shards to directory/engine, and from rank 0 a Hugging Face directory beside it.

        Collective. The directory must be one that all ranks see.
        """
        weights = self.gather_weights()
        self.engine.save_checkpoint(str(directory), tag=_TAG)
        if rank == 0:
            policy = self.engine.module.policy
            dtype = next(policy.parameters()).dtype
            tensors = {k: torch.from_numpy(v).to(dtype) for k, v in weights.items()}
            policy.save_pretrained(directory / "huggingface", state_dict=tensors)
            self.tokenizer.save_pretrained(directory / "huggingface")

    def load(self, directory: Path) -> None:
        """Model and optimiser as `save` left them. Collective; same number of ranks as then."""
        saved = len(list(Path(directory, _TAG).glob("*optim_states.pt"))) or 1
        if saved != self.world_size:
            raise CheckpointError(
                f"{directory}: written by {saved} learners, this run has {self.world_size}; set "
                f"learner.num_learners={saved}, or start from its huggingface/ directory"
            )
        path, _ = self.engine.load_checkpoint(str(directory), tag=_TAG)
        if path is None:
            raise CheckpointError(f"{directory}: holds no learner checkpoint")


def engine_config(
    config: LearnerConfig, policy: PolicyConfig, *, num_parameters: int
) -> dict[str, Any]:
    """The DeepSpeed configuration that our configuration stands for."""
    # DeepSpeed allocates whole buckets in each backward pass, whatever the size of the model.
    bucket = min(_LARGEST_BUCKET, num_parameters)
    zero: dict[str, Any] = {
        "stage": config.zero_stage,
        "reduce_bucket_size": bucket,
        "allgather_bucket_size": bucket,
    }
    if config.offload == "cpu":
        zero["offload_optimizer"] = {"device": "cpu"}
        if config.zero_stage == 3:
            zero["offload_param"] = {"device": "cpu"}
    return {
        # Micro-batches and their boundaries are ours; DeepSpeed must not rescale by them.
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": config.max_gradient_norm,
        "bf16": {"enabled": policy.dtype == "bfloat16"},
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 10**9,
    }


def _to_numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy().copy()
