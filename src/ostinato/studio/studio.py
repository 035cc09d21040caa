"""What the studio's routes work on."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.requests import HTTPConnection

from ostinato.api.listing import run_folders
from ostinato.checkpoint import RunFolder
from ostinato.serving.problems import Problem
from ostinato.studio.trainings import Trainings
from ostinato.studio.uploads import Uploads


@dataclass
class Studio:
    """A folder of runs. What comes from the net is looked up among what stands in it, and never becomes a path.

    Attributes:
        folder: of the runs that are shown, where new ones go.
        plugins: what is imported with torch, for the cells that it registers.
        ending: whether the server is about to end: who follows something is let go.
        opening: whether torch is being loaded.
    """

    folder: Path
    plugins: tuple[str, ...] = ()
    ending: bool = False
    opening: bool = False

    @cached_property
    def uploads(self) -> Uploads:
        """What was dropped on the page."""
        return Uploads(self.folder)

    @cached_property
    def trainings(self) -> Trainings:
        """What was started from it."""
        return Trainings(self.folder)

    def runs(self) -> dict[str, Path]:
        """The run folders that there are now, by name."""
        return {path.name: path for path in run_folders(self.folder)} if self.folder.is_dir() else {}

    def run(self, name: str) -> Path:
        """The run folder of a name.

        Raises:
            Problem: 404, there is none.
        """
        return self._find(name, self.runs())

    def begun(self, name: str) -> Path:
        """As `run`; one whose training has not come to its first checkpoint is there too."""
        there = self.folder.iterdir() if self.folder.is_dir() else ()
        return self._find(name, {path.name: path for path in there if RunFolder(path).under_way.is_run()})

    def expected(self, name: str) -> Path:
        """As `begun`; one whose training has been started and still reads its data is there too."""
        return self.trainings.place(name) if self.trainings.written(name) else self.begun(name)

    def _find(self, name: str, known: dict[str, Path]) -> Path:
        if name not in known:
            raise Problem(404, f"there is no run {name[:100]!r} in {self.folder} any more")
        return known[name]


def studio_of(request: HTTPConnection) -> Studio:
    """The studio of a request."""
    found: Studio = request.app.state.studio
    return found
