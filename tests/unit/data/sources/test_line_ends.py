"""Lines of an old Mac end with a carriage return alone: every reader finds what it finds where they end otherwise."""

import dataclasses

import pytest

from ostinato.data.labelled.reading import LabelledColumns, read_labelled
from ostinato.data.labelled.ts import read_ts
from ostinato.data.pictures.captions import read_captions, read_names
from ostinato.data.text.conll import read_tagged
from ostinato.data.text.pairs import open_pairs, read_sources, read_two_files
from ostinato.data.text.reading import open_text

CONLL = "the DET\ndog NOUN\n\nit PRON\nbarks VERB\n\n"
UD = "".join(f"{n}\t{w}\t_\t{t}\t_\t_\t_\t_\t_\t_\n" for n, w, t in ((1, "the", "DET"), (2, "dog", "NOUN"))) + "\n"
CAPTIONS = 'image,caption\na.png,"one dog"\nb.png,two dogs\n'


def plain(found):
    """Anything a reader gives, comparable."""
    if dataclasses.is_dataclass(found):
        values = {item.name: getattr(found, item.name) for item in dataclasses.fields(found)}
        return {name: plain(value) for name, value in values.items() if not callable(value)}
    if isinstance(found, list | tuple):
        return [plain(each) for each in found]
    return found.tolist() if hasattr(found, "tolist") else found


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        ("t.txt", CONLL, lambda path: read_tagged([path])),
        ("t.conllu", UD, lambda path: read_tagged([path])),
        (
            "t.csv",
            "text,label\ngood,up\nbad,down\n",
            lambda path: read_labelled(path, LabelledColumns("label", "text")),
        ),
        ("t.ts", "@classLabel true a b\n@data\n1,2:a\n3:b\n", read_ts),
        ("t.tsv", "one\teins\ntwo\tzwei\n", lambda path: open_pairs([path])),
        ("t.txt", "one\ntwo\n", lambda path: read_two_files(path, path)),
        ("t.txt", "one\n\ntwo\n", read_sources),
        ("t.csv", CAPTIONS, read_captions),
        ("t.txt", "a.png#0\tone dog\nb.png#0\ttwo dogs\n", read_captions),
        ("t.csv", CAPTIONS, read_names),
        ("t.txt", "a.png\nb.png\n", read_names),
        ("t.txt", "one\ntwo\n", lambda path: list(open_text(path).blocks())),
    ],
)
def test_what_is_read_is_the_same(write, name, content, read):
    expected = plain(read(write(content, name)))
    assert plain(read(write(content.replace("\n", "\r"), name))) == expected
