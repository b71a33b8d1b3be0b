"""The generation settings under which episodes are made, for whom they are made.

Training takes `config.generation` as it is. The others take the same turns and limits and differ
in how they draw, so that what is validated and served is what was trained.
"""

from quasar.config import GenerationConfig, QuasarConfig


def turn_tokens(generation: GenerationConfig) -> int:
    """Longest turn, tokens."""
    return generation.turn_tokens or generation.max_response_tokens


def for_evaluation(config: QuasarConfig) -> GenerationConfig:
    """As in training, at the temperature and the nucleus of the evaluation."""
    evaluation = config.evaluation
    return config.generation.model_copy(
        update={"temperature": evaluation.temperature, "top_p": evaluation.top_p}
    )


def for_turns(generation: GenerationConfig, max_turns: int) -> GenerationConfig:
    """With room for so many turns, each of full length."""
    longest = turn_tokens(generation)
    return generation.model_copy(
        update={
            "max_turns": max_turns,
            "turn_tokens": longest,
            "max_response_tokens": max(generation.max_response_tokens, max_turns * longest),
        }
    )
