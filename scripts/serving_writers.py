"""Sessions of a server that write, in a process of their own: who measures beside them shares no interpreter with them.

    python scripts/serving_writers.py PORT whole|stream SESSION...

It says `writing` once all have asked, and reads whatever comes until it is ended.
"""

import json
import selectors
import socket
import sys

RUN, LENGTH = "/v1/runs/char", 100_000


def main():
    """Ask, then read on and on."""
    port, kind, *sessions = sys.argv[1:]
    body = json.dumps({"length": LENGTH, "seed": 1, "stream": kind == "stream"}).encode()
    coming = selectors.DefaultSelector()
    for session in sessions:
        connection = socket.create_connection(("127.0.0.1", int(port)))
        head = (
            f"POST {RUN}/sessions/{session}/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        )
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        coming.register(connection, selectors.EVENT_READ)
    print("writing", flush=True)
    while coming.get_map():
        for key, _ in coming.select():
            if not key.fileobj.recv(1 << 20):
                coming.unregister(key.fileobj)


if __name__ == "__main__":
    main()
