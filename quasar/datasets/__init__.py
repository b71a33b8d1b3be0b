"""Problem records and their files, prompts, and the generation of solved examples."""
