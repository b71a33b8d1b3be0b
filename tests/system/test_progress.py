"""Progress bars: where they go, and that a bar which was begun goes on from there."""

from quasar.system.progress import progress_bar


def test_a_bar_goes_to_standard_error(capsys):
    with progress_bar("examples", 7) as advance_to:
        advance_to(5)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "examples" in shown.err
    assert "5/7" in shown.err


def test_a_bar_goes_on_from_what_was_done(capsys):
    with progress_bar("examples", 7, done=3):
        pass
    assert "3/7" in capsys.readouterr().err


def test_a_hidden_bar_shows_nothing(capsys):
    with progress_bar("examples", 7, show=False) as advance_to:
        advance_to(7)
    assert "".join(capsys.readouterr()) == ""
