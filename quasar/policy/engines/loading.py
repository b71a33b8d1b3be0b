"""The configured engine, from a checkpoint."""

from pathlib import Path

from quasar.config import QuasarConfig
from quasar.policy.engines.protocol import GenerationEngine


def load_engine(source: str | Path, config: QuasarConfig, *, device: str) -> GenerationEngine:
    """The configured engine with the model of a Hugging Face directory or hub name.

    Raises CheckpointError where `source` is none, ConfigError where the engine is not installed.
    """
    settings = config.generation
    if settings.engine == "vllm":
        from quasar.policy.engines.vllm import VllmEngine

        return VllmEngine(
            source,
            device=device,
            dtype=config.policy.dtype,
            max_model_tokens=settings.max_context_tokens,
            max_sequences=settings.batch_size,
            memory_fraction=settings.gpu_memory_fraction,
            tool_format=settings.tool_format,
            tools=settings.tools,
        )
    from quasar.policy.engines.transformers import CircuitGenerator

    return CircuitGenerator.load(
        source,
        device=device,
        dtype=config.policy.dtype,
        batch_size=settings.batch_size,
        tool_format=settings.tool_format,
        tools=settings.tools,
    )
