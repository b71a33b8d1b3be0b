"""The main job from dataset to report, a run's directory, its tracking and its copies."""
