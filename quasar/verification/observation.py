"""TEMPORARY"""


def observation_text(report, *, max_chars):
    return str(report)[:max_chars]
