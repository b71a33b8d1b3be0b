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


def test_where_there_is_no_terminal_a_line_tells_now_and_then(capsys, monkeypatch):
    def lines(*, every: float) -> list[str]:
        monkeypatch.setattr("quasar.system.progress._EVERY_S", every)
        with progress_bar("examples", 7) as advance_to:
            for done in (2, 5, 7):
                advance_to(done)
        return capsys.readouterr().err.splitlines()

    assert [line for line in lines(every=0.0) if "━" not in line] == [
        "examples 2/7",
        "examples 5/7",
    ]
    assert not [line for line in lines(every=60.0) if "━" not in line]
