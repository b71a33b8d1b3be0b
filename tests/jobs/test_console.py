"""What a training run says where it is not read on a terminal."""

import pytest

MOST_LINES = 60

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def test_a_run_says_what_matters_and_no_more(calm_run):
    lines = (calm_run / "log.txt").read_text().splitlines()
    assert len(lines) <= MOST_LINES
    for noise in ("logging.cc", "WARNING", "Warning", "real_accelerator"):
        assert not [line for line in lines if noise in line]
    for phase in ("SFT", "GRPO"):  # of any length: about ten lines and the first and last
        assert 3 <= sum(line.startswith(f"{phase} ") and "  " in line for line in lines) <= 15
