"""What is measured against whom, and what is wanted of it."""

from typing import Any, NamedTuple

from ostinato.core.errors import ConfigError, unknown_name

PEERS = ("torch", "torch-chunked", "torch-cell", "torch-bf16", "numpy")
#: Kinds of work, each with this package's precision and the peer it is held against.
COMPARED: dict[str, tuple[tuple[str, str], ...]] = {
    "training": (
        ("highest", "torch"),
        ("highest", "torch-chunked"),
        ("highest", "numpy"),
        ("medium", "torch-bf16"),
    ),
    "generation": (("highest", "torch"), ("highest", "torch-cell")),
    "evaluation": (("highest", "torch"), ("medium", "torch-bf16")),
    "vocabulary": (("highest", "torch"), ("highest", "torch-chunked")),
}
#: Presets that are measured; the others differ from these in nothing that takes time, or have no peer.
MEASURED = ("hello", "char", "rnnlm", "better-rnnlm", "awd-lstm")
#: What is trained with vocabularies of several sizes.
VOCABULARY_PRESET = "rnnlm"
#: The largest of them is also trained with more tokens a step.
MANY_TOKENS = {"batch": 64, "steps": 64}
#: How many times as fast as its peer this package should be, and MB above weights and gradients that it may take.
WANTED: dict[tuple[str, str, str, str], float] = {
    ("training", "rnnlm", "highest", "torch"): 2.5,
    ("training", "better-rnnlm", "highest", "torch"): 1.25,
    ("training", "rnnlm", "medium", "torch-bf16"): 2.0,
    ("training", "better-rnnlm", "medium", "torch-bf16"): 2.0,
    ("training", "rnnlm", "highest", "numpy"): 6.0,
    ("training", "better-rnnlm", "highest", "numpy"): 6.0,
    ("generation", "char", "highest", "torch"): 4.0,
}
WANTED_MB = 300.0


class Section(NamedTuple):
    """What is measured at a time, all sides in turn.

    Attributes:
        work: a kind of COMPARED.
        preset: which model.
        changes: of the preset's options.
    """

    work: str
    preset: str
    changes: dict[str, Any]

    def __str__(self) -> str:
        if self.work != "vocabulary":
            return f"{self.work} {self.preset}"
        many = f", {self.changes['batch'] * self.changes['steps']:,} tokens a step" if "batch" in self.changes else ""
        return f"a vocabulary of {self.changes['vocab_size']:,}{many}"


def sections(presets: tuple[str, ...], works: tuple[str, ...], vocabulary: tuple[int, ...]) -> list[Section]:
    """What the options ask for; all presets and all work where they name none.

    Raises:
        ConfigError: an unknown preset or kind of work.
    """
    for name, given, known in (("presets", presets, MEASURED), ("work", works, COMPARED)):
        if unknown := [one for one in given if one not in known]:
            raise ConfigError(unknown_name(f"--{name}: unknown", unknown[0], known))
    found = []
    for work in works or COMPARED:
        if work != "vocabulary":
            found += [Section(work, preset, {}) for preset in presets or MEASURED]
        elif not presets or VOCABULARY_PRESET in presets:
            found += [Section(work, VOCABULARY_PRESET, {"vocab_size": size}) for size in sorted(vocabulary)]
            found.append(Section(work, VOCABULARY_PRESET, {"vocab_size": max(vocabulary), **MANY_TOKENS}))
    return found


def require_peers(peers: tuple[str, ...]) -> None:
    """Raise a ConfigError where a peer is unknown."""
    if unknown := [peer for peer in peers if peer not in PEERS]:
        raise ConfigError(unknown_name("--peers: unknown", unknown[0], PEERS))
