"""What `ostinato search` says."""

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, UnsetType

from ostinato.core.results import Result

TrialKind: TypeAlias = Literal["complete", "pruned", "failed", "under way"]


class SearchTrial(Result):
    """One training of a search."""

    number: Annotated[int, "from 0, as its folder is called"]
    run: Annotated[str, "the run folder"]
    state: Annotated[
        TrialKind,
        "`pruned`: stopped early, as it did worse than others; `under way`: --resume goes on with it",
    ]
    options: Annotated[dict[str, Any], "what was drawn for it"]
    value: Annotated[float | UnsetType, "the figure at its best"] = UNSET
    seconds: Annotated[float | UnsetType, "it took"] = UNSET
    error: Annotated[str | UnsetType, "why it failed"] = UNSET


class Searched(Result):
    """Of `search`."""

    out: Annotated[str, "folder of the search"]
    task: Annotated[str, "what is trained"]
    metric: Annotated[str, "figure of validations that was searched by"]
    higher: Annotated[bool, "whether more of it is better"]
    trials: Annotated[list[SearchTrial], "all of them"]
    importance: Annotated[
        dict[str, float], "share of the figure's spread that each option explains; empty of few trials"
    ]
    best: Annotated[SearchTrial | None, "the best one"]
    command: Annotated[str | None, "trains with its options, for as long as you like"]
    seconds: Annotated[float, "since the command began"]
