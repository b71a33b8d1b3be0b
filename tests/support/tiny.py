"""The presets `published` and `laptop`, shrunk until a step takes a fraction of a second."""

TINY = [
    "policy.hidden_size=64",
    "policy.num_layers=2",
    "policy.num_attention_heads=2",
    "policy.num_key_value_heads=1",
    "policy.intermediate_size=128",
    "dataset.num_examples=24",
    "dataset.min_qubits=3",
    "dataset.max_qubits=4",
    "dataset.num_workers=1",
    "learner.num_learners=1",
    "generation.max_response_tokens=96",
    "generation.batch_size=16",
]
