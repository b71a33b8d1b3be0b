from tests.policy.conftest import tool_tokenizer  # noqa: F401
