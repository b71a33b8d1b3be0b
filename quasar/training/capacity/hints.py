"""What to change where a learner has not the memory: one list, for errors and for `quasar plan`."""

from typing import Literal

from quasar.config import QuasarConfig

# What takes the memory: weights, gradients and optimiser, or what a micro-batch leaves behind.
Cause = Literal["states", "activations"]
MORE_GPUS = "give it more GPUs"


def learner_hints(
    config: QuasarConfig, *, tokens: int, causes: tuple[Cause, ...] = ("states", "activations")
) -> list[str]:
    """Settings that lower a learner's memory and are not yet at their end, the cheapest first.

    tokens: of the longest sequence. causes: what is known to take the memory; by default either.
    """
    learner, policy = config.learner, config.policy
    several_rows = learner.micro_batch_tokens >= 2 * tokens
    budget, response = learner.micro_batch_tokens, config.generation.max_response_tokens
    hints: list[tuple[tuple[Cause, ...], str, bool]] = [
        (("activations",), f"lower learner.micro_batch_tokens (now {budget})", several_rows),
        (
            ("states", "activations"),
            "set policy.gradient_checkpointing=true",
            not policy.gradient_checkpointing,
        ),
        (("states",), "in a new run set policy.lora_rank=16", not policy.lora_rank),
        (
            ("states",),
            "set learner.zero_stage=3",
            learner.zero_stage < 3 and learner.num_learners > 1,
        ),
        (
            ("states",),
            "set learner.offload=cpu",
            learner.offload == "none" and learner.gpus_per_learner > 0,
        ),
        (("states",), MORE_GPUS, learner.gpus_per_learner > 0 and learner.zero_stage > 0),
        (
            ("activations",),
            f"lower generation.max_response_tokens (now {response})",
            True,
        ),
    ]
    return [hint for lowers, hint, is_open in hints if is_open and any(c in causes for c in lowers)]
