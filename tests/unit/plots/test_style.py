"""The files of pictures."""

import pytest

pytest.importorskip("matplotlib")

from ostinato.plots.style import picture


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_picture_replaces_a_link_and_keeps_permissions(tmp_path, ending):
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / f"one.{ending}").symlink_to("theirs")
    (tmp_path / f"two.{ending}").touch(mode=0o600)
    for name in ("one", "two"):
        with picture(tmp_path / f"{name}.{ending}") as axes:
            axes.plot([1, 2])
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert (tmp_path / f"one.{ending}").stat().st_size > 1000
    assert (tmp_path / f"two.{ending}").stat().st_mode & 0o777 == 0o600
