"""A tokenizer whose chat template knows tools, as those of instruct models do."""

import pytest

# In the manner of the Hermes and Qwen templates: tools in the system turn.
TOOL_TEMPLATE = """
{%- if tools -%}<|im_start|>system
Tools: {% for tool in tools %}{{ tool | tojson }}{% endfor %}<|im_end|>
{% endif -%}
{%- for message in messages -%}
{%- if message.role == "tool" -%}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% else -%}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}
"""


@pytest.fixture(scope="session")
def tool_tokenizer(tiny_policy):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    tokenizer.chat_template = TOOL_TEMPLATE
    return tokenizer
