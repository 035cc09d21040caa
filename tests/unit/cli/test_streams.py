"""Standard output that cannot hold a character: nothing is lost, and JSON stays JSON."""

import json
import os
import subprocess
import sys

import pytest

TEXT = 'naïve “한국어” 😀 \udc80 "end"'
WRITE = "from ostinato.cli.streams import standard_streams\nwith standard_streams():\n    print(LINE)"


def written(line, **environment):
    command = [sys.executable, "-c", WRITE.replace("LINE", ascii(line))]
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LC_", "LANG"))}
    return subprocess.run(command, env=keep | environment, capture_output=True, check=True).stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_the_encoding_that_is_asked_for_is_kept(encoding):
    found = written(json.dumps(TEXT, ensure_ascii=False), PYTHONIOENCODING=encoding).decode(encoding)
    assert json.loads(found) == TEXT


def test_a_bare_locale_gets_utf8():
    bare = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    assert written("naïve 한국어 😀", **bare) == "naïve 한국어 😀\n".encode()
