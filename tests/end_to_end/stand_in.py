"""A program `ostinato` for shell code, which has the command forked by the tests that run the code: see `harness`.

    with stand_in(folder) as programs:  # the first folder of PATH, for who starts `ostinato`
        subprocess.run(["bash", "-c", "echo text | ostinato predict RUN -"], env={"PATH": programs})

It passes on its streams, folder, environment and signals, and ends with the command's status. What it saves are the
two seconds in which each command would import torch.
"""

import json
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end import harness

PROGRAM = """#!{python} -SE
import json, os, signal, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    lines = server.makefile()
    asked = [sys.argv[1:], os.getcwd(), os.getpid(), dict(os.environ)]
    server.sendall(json.dumps(asked).encode() + b"\\n")
    command = int(lines.readline())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: os.kill(command, number))
    status = int(lines.readline())
sys.exit(status if status >= 0 else 128 - status)
"""


@contextmanager
def stand_in(folder: Path) -> Iterator[Path]:
    """The folder, made anew, with the stand-in, which answers for as long as this lasts."""
    folder.mkdir()
    program, address = folder / "ostinato", folder / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        server.listen()
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        program.write_text(PROGRAM.format(python=sys.executable, address=str(address)))
        program.chmod(0o755)
        yield folder


def _serve(server: socket.socket) -> None:
    while True:
        try:
            asked, _ = server.accept()
        except OSError:  # the page has ended
            return
        threading.Thread(target=_answer, args=(asked,), daemon=True).start()


def _answer(asked: socket.socket) -> None:
    with asked, asked.makefile() as lines, tempfile.TemporaryDirectory() as logs:
        arguments, folder, process, environment = json.loads(lines.readline())
        streams = [f"/proc/{process}/fd/{number}" for number in range(3)]
        command = harness.start(arguments, Path(folder), Path(logs) / "logs", environment, *streams)
        asked.sendall(f"{command.process.pid}\n".encode())
        asked.sendall(f"{command.wait().status}\n".encode())
