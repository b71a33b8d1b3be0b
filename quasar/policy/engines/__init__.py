"""What runs the model: one protocol, transformers and vLLM."""
