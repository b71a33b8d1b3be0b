"""Settings of the language model, and of what it writes."""

from typing import Literal

from pydantic import Field, model_validator

from quasar.config.section import Section


class PolicyConfig(Section):
    model: str = Field(
        "build",
        description="'build' makes a small model and tokenizer; else a Hugging Face directory or hub name",
    )
    hidden_size: int = Field(128, ge=16, description="width (only for 'build')")
    num_layers: int = Field(4, ge=1, description="transformer layers (only for 'build')")
    num_attention_heads: int = Field(4, ge=1, description="query heads (only for 'build')")
    num_key_value_heads: int = Field(2, ge=1, description="key/value heads (only for 'build')")
    intermediate_size: int = Field(384, ge=16, description="MLP width (only for 'build')")
    vocab_size: int = Field(2048, ge=300, description="most tokenizer pieces (only for 'build')")
    dtype: Literal["float32", "bfloat16"] = Field(
        "float32", description="parameter and activation type"
    )
    gradient_checkpointing: bool = Field(
        False, description="recompute activations in the backward pass"
    )
    lora_rank: int = Field(
        0, ge=0, description="rank of LoRA adapters on all linear layers; 0: train all weights"
    )
    lora_alpha: float = Field(
        32.0, gt=0, description="LoRA: the adapters' update is scaled by this over the rank"
    )


class GenerationConfig(Section):
    engine: Literal["transformers", "vllm"] = Field(
        "transformers",
        description="what runs the model; vllm: needs a GPU and the extra of that name",
    )
    constrained: bool = Field(
        False,
        description="only tokens that keep the answer a valid OpenQASM 3 program on the problem's qubits",
    )
    stop_at_program_end: bool = Field(
        False,
        description="a turn also ends where the last qubit is measured, not only at its end token",
    )
    temperature: float = Field(0.7, gt=0, description="sampling temperature in training rollouts")
    top_p: float = Field(1.0, gt=0, le=1, description="nucleus mass in training rollouts")
    max_prompt_tokens: int = Field(
        256, ge=16, description="longest prompt, tokens; a longer one is refused"
    )
    max_response_tokens: int = Field(
        256, ge=16, description="longest response over all turns of a rollout, tokens"
    )
    max_observation_tokens: int = Field(
        96, ge=16, description="longest tool observation a turn, tokens"
    )
    max_turns: int = Field(
        1,
        ge=1,
        description="model turns a rollout; between two turns the tool's observation is read",
    )
    turn_tokens: int | None = Field(
        None, ge=16, description="longest turn, tokens; null: what is left of the response"
    )
    satisfied_at: float = Field(
        0.99,
        ge=0,
        le=1,
        description="optimum enrichment of a circuit (the distribution part) that needs no further turn",
    )
    tool_format: Literal["compact", "chat_template"] = Field(
        "compact",
        description="how the policy calls the tool; compact: a turn is a program; chat_template: the "
        "template's own tool calls, as Qwen's instruct models were taught",
    )
    batch_size: int = Field(128, ge=1, description="sequences that one engine decodes together")
    gpu_memory_fraction: float = Field(
        0.9, gt=0, le=1, description="vllm: share of the GPU's memory; less beside a learner"
    )

    @model_validator(mode="after")
    def _vllm_gives_the_log_probs_of_the_nucleus(self):
        if self.engine == "vllm" and self.top_p < 1:
            raise ValueError(
                "with engine vllm set top_p=1: vLLM's log-probabilities are renormalised over the "
                "nucleus, which the learner does not recompute"
            )
        return self

    @property
    def max_context_tokens(self) -> int:
        """Longest prompt, response and observations of one rollout together."""
        read = (self.max_turns - 1) * self.max_observation_tokens
        return self.max_prompt_tokens + self.max_response_tokens + read
