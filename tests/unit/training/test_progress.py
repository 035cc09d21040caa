from ostinato.training.events import Begun, Ended, Trained, Where
from ostinato.training.terminal import TerminalProgress


def trained(step, progress, seconds_left=None):
    return Trained(Where(step, 1, 10 * step, progress, 1.0), {"loss": 1.0}, 0.1, 1.0, 0.0, 10.0, seconds_left)


def test_no_more_time_is_left_than_the_clock_gives(capsys, monkeypatch):
    monkeypatch.setattr(TerminalProgress, "PACE", -1.0)
    progress = TerminalProgress()
    progress(Begun("run", Where(0, 0, 0, 0.0, 0.0), "", 500, "tokens", "validation"))
    progress(trained(1, 0.1, 30.2))
    progress(trained(2, 0.1 + 1e-9, 30.2))  # at this pace, for years
    progress(trained(3, 0.1 + 2e-9))
    progress(Ended(Where(3, 1, 30, 0.1, 1.0), "finished"))
    _, limited, free = capsys.readouterr().err.splitlines()
    assert limited.endswith("0:30 left")
    assert free.endswith("h left")
