"""Classes of options are frozen dataclasses to whoever uses them."""

import copy
import dataclasses
import pickle
from dataclasses import dataclass, field

import pytest

from ostinato.config.options import options


@options
class Layout:
    """A group."""

    separator: str = ","


@options(kw_only=True)
class Command:
    """A command."""

    sizes: tuple[int, ...]
    layout: Layout = field(default_factory=Layout)
    secret: str = field(default="s", repr=False)
    half: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "half", sum(self.sizes) // 2)


@options
class More(Command):
    """One with another option besides."""

    last: int = 9


def test_they_cannot_be_changed() -> None:
    made = Command(sizes=(1, 2))
    for name in ("sizes", "layout", "secret"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, name, None)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(made, name)
    with pytest.raises(dataclasses.FrozenInstanceError):
        More(sizes=(1,)).last = 3  # type: ignore[misc]
    assert made.sizes == (1, 2)


def test_they_are_made_compared_and_shown_as_dataclasses_are() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Twin:
        sizes: tuple[int, ...]
        layout: Layout = field(default_factory=Layout)
        secret: str = field(default="s", repr=False)
        half: int = 0

    made, twin = Command(sizes=(1, 3)), Twin(sizes=(1, 3), half=2)
    assert repr(made) == repr(twin).replace(Twin.__qualname__, "Command")
    assert [item.name for item in dataclasses.fields(made)] == [item.name for item in dataclasses.fields(twin)]
    assert made == Command(sizes=(1, 3)) != Command(sizes=(1, 4))
    assert hash(made) == hash(Command(sizes=(1, 3)))
    assert made != twin
    assert made != More(sizes=(1, 3))
    assert dataclasses.replace(made, layout=Layout(";")).layout == Layout(";")
    assert dataclasses.asdict(made) == dataclasses.asdict(twin)
    assert copy.deepcopy(made) == made == pickle.loads(pickle.dumps(made))
    with pytest.raises(TypeError):
        Command((1, 2))  # type: ignore[misc]
