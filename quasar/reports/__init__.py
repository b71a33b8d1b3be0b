"""Reports, figures and tables of evaluations, runs and sweeps."""
