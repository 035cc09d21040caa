from ostinato.checkpoint.position import Position
from ostinato.training import Progress


def test_no_more_time_is_left_than_the_clock_gives(capsys, monkeypatch):
    monkeypatch.setattr(Progress, "PACE", -1.0)
    with Progress(None, 500) as progress:
        progress.trained(Position(step=1, progress=0.1), 1.0, 0.1, 10.0, 30.2)
        progress.trained(Position(step=2, progress=0.1 + 1e-9), 1.0, 0.1, 10.0, 30.2)  # at this pace, for years
        progress.trained(Position(step=3, progress=0.1 + 2e-9), 1.0, 0.1, 10.0)
    _, limited, free = capsys.readouterr().err.splitlines()
    assert limited.endswith("0:30 left")
    assert free.endswith("h left")
