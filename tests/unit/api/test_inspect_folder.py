"""The folder that views of a run are written to."""

from ostinato.api.inspecting.output import Folder


def test_only_what_a_killed_writer_of_the_same_file_left_goes(tmp_path):
    """The folder may be anybody's: other programs write to such names as well."""
    for name in (".loss.json.0123456789abcdef.tmp", ".package.json.12345.tmp"):
        (tmp_path / name).touch()
    folder = Folder(tmp_path)
    folder.numbers("loss", {"loss": 1.0})
    assert {item.name for item in tmp_path.iterdir()} == {"loss.json", ".package.json.12345.tmp"}
    assert folder.files == ["loss.json"]
