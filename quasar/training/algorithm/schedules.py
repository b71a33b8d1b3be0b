"""Learning rates as functions of the 0-based update, so that a resumed run continues its curve."""

import math

from quasar.config import GrpoConfig, ImproveConfig, SftConfig


def supervised_rate(config: SftConfig | ImproveConfig, step: int, total: int) -> float:
    """Linear warm-up, then cosine down to a tenth of the peak at update `total`."""
    warmup = max(1, round(config.warmup_fraction * total))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return config.learning_rate * (0.1 + 0.45 * (1.0 + math.cos(math.pi * progress)))


def grpo_rate(config: GrpoConfig, step: int) -> float:
    """Linear warm-up, then a line down to the `final_learning_rate` share at the last update."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / (config.warmup_steps + 1)
    last = max(1, config.iterations - 1 - config.warmup_steps)
    progress = min(1.0, (step - config.warmup_steps) / last)
    return config.learning_rate * (1.0 - progress * (1.0 - config.final_learning_rate))
