"""Pass@k metrics, baselines and reports over files of problems and generations."""
