"""The learner: a language model inside a DeepSpeed engine. Knows nothing of Ray."""
