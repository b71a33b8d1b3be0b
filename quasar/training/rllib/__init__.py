"""GRPO as an RLlib Algorithm: rollout actors, the learner group, where tokens wait."""
