"""What happens to files: bits that flip, ends cut off, other JSON, links, pipes. A change is a list of plain values."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: What programs stumble over, a character for each byte.
TOKENS = [
    *(
        "\0",
        "\r",
        "\r\n",
        "\n",
        "\n\n",
        "\t",
        ",",
        ";",
        '"',
        "'",
        "\\",
        " ",
        "=",
        "{",
        "[",
        "#",
        "|",
        "-",
        "_",
        "\x1b[31m",
        "\x7f",
    ),
    *(
        "nan",
        "NaN",
        "inf",
        "-Infinity",
        "1e308",
        "1e999",
        "-1",
        "0",
        "1" * 400,
        "0x10",
        "1_0",
        "1,5",
        "null",
        "true",
        "[]",
        "{}",
    ),
    *(
        "\xef\xbb\xbf",
        "\xff\xfe",
        "\xfe\xff",
        "\xff",
        "\xc3",
        "\xed\xa0\x80",
        "\xe2\x80\xa8",
        "\xc2\xa0",
        "\xe0\xa4\x95",
    ),
    *(
        "\xf0\x9f\x98\x80",
        "\x1f\x8b\x08\0",
        "PAR1",
        "\x89PNG",
        "%!PS",
        "B-",
        "I-X",
        "O",
        "1-2\t_",
        "1.1\t_",
        "# text = a",
    ),
    *("2023-02-30", "2023-03-26T02:30", "24:00", "9999-12-31", "10000-01-01", "2020-01-01T00:00+23:59", "-0001-01-01"),
]
#: Values of other types and ranges.
VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        3,
        10**6,
        2**31,
        2**63,
        10**30,
        -(10**30),
        0.5,
        -0.5,
        1e308,
        "",
        "a",
        "\0",
        "../guard",
    ),
    *(
        "/dev/zero",
        "\ud800",
        "x" * 5000,
        [],
        {},
        [1],
        ["a"],
        [None],
        {"a": 1},
        {"": {}},
        [[[[]]]],
        "lstm",
        "gru",
        "nan",
        "1",
    ),
]


def apply(change: list[Any], folder: Path) -> None:
    """Do one change below a folder. What it is about may be gone by an earlier one: then nothing is done."""
    kind, name, *rest = change
    path = next(iter(sorted(folder.glob(name))), folder / name) if "*" in name else folder / name
    if kind in _PATHS:
        _PATHS[kind](path, *rest)
    elif path.is_file() and not path.is_symlink():
        path.write_bytes(_BYTES[kind](path.read_bytes(), *rest))


def _flip(data: bytes, at: int, bit: int) -> bytes:
    if not data:
        return data
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def _cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def _put(data: bytes, share: float, text: str, over: int = 0) -> bytes:
    at = int(len(data) * share)
    return data[:at] + text.encode("latin-1") + data[at + over :]


def _repeat(data: bytes, begin: float, end: float, times: int) -> bytes:
    a, b = sorted(int(len(data) * share) for share in (begin, end))
    return data[:a] + data[a:b] * times + data[b:]


def _json(data: bytes, keys: list[int], value: Any) -> bytes:
    """Another value where the keys lead; `["delete"]` takes it away, `["deep", n]` nests n lists there."""
    try:
        root = [json.loads(data)]
    except (ValueError, RecursionError):
        return data
    holder: Any = root
    last: Any = 0
    for key in keys:
        inner = holder[last]
        if not isinstance(inner, dict | list) or not inner:
            break
        names = list(inner) if isinstance(inner, dict) else range(len(inner))
        holder, last = inner, names[key % len(names)]
    if value == ["delete"]:
        if holder is root:
            return b""
        del holder[last]
        return json.dumps(root[0]).encode()
    deep = isinstance(value, list) and value[:1] == ["deep"]
    holder[last] = "@deep@" if deep else value
    written = json.dumps(root[0])
    return (written.replace('"@deep@"', "[" * value[1] + "]" * value[1]) if deep else written).encode()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(path)
    path.write_bytes(text.encode("latin-1"))


def _link(path: Path, target: str) -> None:
    _remove(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def _folder(path: Path) -> None:
    _remove(path)
    path.mkdir(parents=True)


def _pipe(path: Path) -> None:
    _remove(path)
    os.mkfifo(path)


def _swap(path: Path, other: str) -> None:
    if path.is_file() and (path.parent / other).is_file():
        shutil.copy(path.parent / other, path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


_BYTES: dict[str, Callable[..., bytes]] = {"flip": _flip, "cut": _cut, "put": _put, "repeat": _repeat, "json": _json}
_PATHS: dict[str, Callable[..., None]] = {
    "write": _write,
    "link": _link,
    "folder": _folder,
    "pipe": _pipe,
    "swap": _swap,
    "remove": _remove,
}


def draw(random: random.Random, name: str, *, links: bool) -> list[Any]:
    """A change of one file.

    Args:
        random: draws it.
        name: the file's.
        links: whether it may become a link, a pipe, a folder, or go.
    """
    kinds = ["flip", "cut", "put", "put", "put", "repeat"] + (["json"] * 8 if name.endswith(".json") else [])
    kinds += ["link", "remove", "folder", *(["pipe"] if name.startswith("run/") else [])] if links else []
    kind = random.choice(kinds)
    match kind:
        case "flip":
            return [
                kind,
                name,
                random.randrange(1 << 20) if random.random() < 0.5 else random.randrange(400),
                random.randrange(8),
            ]
        case "cut":
            return [kind, name, round(random.choice([0, 1, random.random()]) * random.random(), 3)]
        case "put":
            text = "".join(random.choices(TOKENS, k=random.choice([1, 1, 2, 5])))
            return [
                kind,
                name,
                round(random.choice([0, 1, random.random(), random.random()]), 3),
                text,
                random.choice([0, 0, 1, 3]),
            ]
        case "repeat":
            return [kind, name, round(random.random(), 3), round(random.random(), 3), random.choice([0, 2, 3, 50])]
        case "json":
            keys = [random.randrange(60) for _ in range(random.choice([0, 1, 1, 2, 2, 2, 3, 4]))]
            value = random.choice(
                [random.choice(VALUES), random.choice(VALUES), ["delete"], ["deep", random.choice([5, 2000, 200000])]]
            )
            return [kind, name, keys, value]
        case "link":
            return [
                kind,
                name,
                random.choice(
                    ["../../guard/precious.txt", "../../guard", "gone", ".", "/dev/null", name.split("/")[-1]]
                ),
            ]
    return [kind, name]
