"""`ostinato.Client`: a server's runs from Python."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from ostinato.core.errors import ConfigError, OstinatoError

if TYPE_CHECKING:
    import httpx2 as httpx
    from websockets.sync.client import ClientConnection


class ServerError(OstinatoError):
    """A server refused a request, or could not be reached.

    Attributes:
        status: of HTTP; 0 where it could not be reached.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Client:
    """A server that `ostinato serve` runs.

        client = ostinato.Client("http://127.0.0.1:8300")
        client.generate("book", "The ", length=200, seed=1)
        with client.session("book", "Once ") as session:
            print(session.generate(length=100))

    Args:
        url: where it is.
        token: what it asks for, where it does.
        timeout: seconds to wait for an answer, or for the next piece of one.
        transport: of httpx, in place of the net: for tests.

    Raises:
        ConfigError: httpx is not installed.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8300",
        *,
        token: str | None = None,
        timeout: float = 300.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        try:
            import httpx2 as httpx
        except ImportError:
            raise ConfigError("ostinato.Client needs more packages: pip install 'ostinato[serve]'") from None
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)
        self._failed: type[Exception] = httpx.TransportError

    def runs(self) -> list[dict[str, Any]]:
        """The runs that it serves: `name`, `task`, `cell`, what they can do.

        Raises:
            ServerError: of this and of all that follow: the request was refused, or nobody is there.
        """
        found: list[dict[str, Any]] = self._json("GET", "/v1/runs")["runs"]
        return found

    def run(self, run: str) -> dict[str, Any]:
        """One of them."""
        found: dict[str, Any] = self._json("GET", _path(run))
        return found

    def ready(self) -> bool:
        """Whether it takes requests: not while it loads its runs, nor once it is ending."""
        try:
            self._asked("GET", "/ready")
        except ServerError as error:
            if error.status == 503:
                return False
            raise
        return True

    def metrics(self) -> str:
        """What Prometheus reads."""
        return self._asked("GET", "/metrics").text

    def openapi(self) -> dict[str, Any]:
        """Its page of all routes."""
        found: dict[str, Any] = self._json("GET", "/openapi.json")
        return found

    def answer(self, run: str, inputs: Sequence[Any], **options: Any) -> list[Any]:
        """An answer to each input, as `Run.predict` gives it.

        Args:
            run: the run's name.
            inputs: texts, lists of tokens, sequences of numbers, or rows of a table as dicts; of a run that sees
                pictures, these in base64.
            **options: those of `ostinato predict` that the run's task takes, such as `beam=3`.
        """
        asked = {"inputs": [_plain(each) for each in inputs], "options": options}
        found: list[Any] = self._json("POST", f"{_path(run)}/answer", json=asked)["outputs"]
        return found

    def answer_file(self, run: str, path: str | PathLike[str]) -> list[Any]:
        """The same of a file of the task's own kind; its ending says which."""
        file = Path(path)
        ending = file.suffix.lstrip(".").lower().replace("jpeg", "jpg")
        headers = {"Content-Type": "application/octet-stream"}
        answered = self._json(
            "POST", f"{_path(run)}/answer", params={"format": ending}, content=file.read_bytes(), headers=headers
        )
        found: list[Any] = answered["outputs"]
        return found

    def generate(self, run: str, prompt: str = "", length: int = 200, **options: Any) -> str:
        """A text that goes on from a prompt.

        Args:
            run: the run's name.
            prompt: where to go on from.
            length: tokens to write.
            **options: temperature, top_k, top_p, greedy, seed, stop.
        """
        return self._written(f"{_path(run)}/generate", prompt, length, options)

    def stream(self, run: str, prompt: str = "", length: int = 200, **options: Any) -> Iterator[str]:
        """The same as it is written, in pieces; whoever stops asking for them ends the text."""
        return self._pieces(f"{_path(run)}/generate", prompt, length, options)

    def session(self, run: str, prompt: str = "", *, state: bytes | None = None) -> Session:
        """A new session: at the beginning of a text, behind a prompt, or where a saved state was.

        Args:
            run: the run's name.
            prompt: what it has read.
            state: what `Session.save` gave.
        """
        path = f"{_path(run)}/sessions"
        if state is None:
            made = self._json("POST", path, json={"prompt": prompt})
        else:
            made = self._json("POST", path, content=state, headers={"Content-Type": "application/octet-stream"})
        return Session(self, path, made["id"])

    @contextmanager
    def steps(self, run: str) -> Iterator[Steps]:
        """A sequence whose steps are answered one by one.

            with client.steps("waves") as steps:
                steps.push([0.1, 0.4])

        Args:
            run: the run's name.
        """
        from websockets.exceptions import ConnectionClosed, WebSocketException
        from websockets.sync.client import connect

        address = str(self._http.base_url).replace("http", "ws", 1).rstrip("/")
        token = self._http.headers.get("Authorization")
        headers = {} if token is None else {"Authorization": token}
        try:
            with connect(
                f"{address}{_path(run)}/stream", additional_headers=headers, max_size=None, proxy=None
            ) as socket:
                yield Steps(socket, self._http.timeout.read, ConnectionClosed)
        except (WebSocketException, OSError) as error:
            raise ServerError(0, f"{self._http.base_url}: {error or type(error).__name__}") from None

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _written(self, path: str, prompt: str, length: int, options: dict[str, Any]) -> str:
        text: str = self._json("POST", path, json={"prompt": prompt, "length": length} | options)["text"]
        return text

    def _pieces(self, path: str, prompt: str, length: int, options: dict[str, Any]) -> Iterator[str]:
        asked = {"prompt": prompt, "length": length, "stream": True} | options
        with self._reached(), self._http.stream("POST", path, json=asked) as response:
            if response.is_error:
                response.read()
            _require_right(response)
            kind = "message"
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data" and kind == "error":
                    problem = json.loads(value)
                    raise ServerError(problem["status"], problem["detail"])
                elif name == "data" and "text" in (event := json.loads(value)):
                    yield event["text"]

    def _json(self, method: str, path: str, **more: Any) -> Any:
        return self._asked(method, path, **more).json()

    def _asked(self, method: str, path: str, **more: Any) -> httpx.Response:
        with self._reached():
            response = self._http.request(method, path, **more)
        _require_right(response)
        return response

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except self._failed as error:
            raise ServerError(0, f"{self._http.base_url}: no answer: {error or type(error).__name__}") from None


class Steps:
    """A sequence whose steps a server answers: made by `Client.steps`."""

    def __init__(self, socket: ClientConnection, timeout: float | None, closed: type[Exception]) -> None:
        self._socket, self._timeout, self._closed = socket, timeout, closed

    def push(self, *steps: Any) -> list[Any]:
        """What is said after each of some steps: numbers of each channel, a piece of a text, or a row of a series as a
        dict; of all steps so far, and None as long as there is nothing to say.

        Raises:
            ServerError: one that cannot be read; those before it count.
        """
        with suppress(self._closed):  # what the server has said before it closed it is read below
            self._socket.send(json.dumps({"steps": [_plain(step) for step in steps]}))
        found = []
        for _ in steps:
            said = json.loads(self._socket.recv(self._timeout))
            if "output" not in said:
                raise ServerError(said["status"], said["detail"])
            found.append(said["output"])
        return found


class Session:
    """A sequence that a server keeps: made by `Client.session`.

    Attributes:
        id: by which requests call it.
    """

    def __init__(self, client: Client, path: str, id: str) -> None:
        self._client, self._all, self.id = client, path, id
        self._path = f"{path}/{id}"

    def generate(self, prompt: str = "", length: int = 200, **options: Any) -> str:
        """Write on from where it stands, behind a prompt where one is given, and leave it where that came to."""
        return self._client._written(f"{self._path}/generate", prompt, length, options)

    def stream(self, prompt: str = "", length: int = 200, **options: Any) -> Iterator[str]:
        """The same as it is written."""
        return self._client._pieces(f"{self._path}/generate", prompt, length, options)

    def fork(self) -> Session:
        """Another session at the same place."""
        return Session(self._client, self._all, self._client._json("POST", f"{self._path}/fork")["id"])

    def save(self) -> bytes:
        """Where it stands, as safetensors."""
        return self._client._asked("GET", f"{self._path}/state").content

    def restore(self, state: bytes) -> None:
        """Go to where a saved state was."""
        headers = {"Content-Type": "application/octet-stream"}
        self._client._asked("PUT", f"{self._path}/state", content=state, headers=headers)

    def delete(self) -> None:
        """Let the server forget it."""
        self._client._asked("DELETE", self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.delete()


def _path(run: str) -> str:
    """Where a run is found."""
    return f"/v1/runs/{quote(run, safe='')}"


def _plain(value: Any) -> Any:
    """Arrays as lists."""
    return value.tolist() if hasattr(value, "tolist") else value


def _require_right(response: httpx.Response) -> None:
    if not response.is_error:
        return
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = response.text[:200]
    raise ServerError(response.status_code, f"{response.status_code} {response.reason_phrase}: {detail}")
