"""Pages and lessons with smaller numbers, so that every line of their code runs in `make test`.

`make test-all` runs them as they stand. What is put in a number's place stands here by the page; a test holds that it
is still in its place there.
"""

from collections.abc import Iterator

#: Of a page or a lesson: what stands there, and what is run instead.
SHORTER: dict[str, dict[str, str]] = {
    "04-gates": {"epochs=4": "epochs=1", "[:150_000]": "[:30_000]"},
    "05-language-model": {
        "SGD(lr=20.0), 300)": "SGD(lr=20.0), 20)",
        "every=50": "every=10",
        "most=200": "most=5",
        "--time-limit 60": "--time-limit 1",
    },
    "06-seq2seq-attention": {
        "EPOCHS, right = 12, {}": "EPOCHS, right = 2, {}",
        "EPOCHS, right = 8, {}": "EPOCHS, right = 1, {}",
        "sums[:10_000]": "sums[:1_000]",
        "both[:5_000], both[5_000:], alphabet": "both[:500], both[5_400:], alphabet",
    },
    "07-noisy-sine": {"epochs=300, seeds=range(10)": "epochs=30, seeds=range(2)"},
    "08-imdb": {
        "TRAIN = 5_000": "TRAIN = 300",
        '("test", 1_000)': '("test", 100)',
        "hidden=64,\n    embed=64, epochs=3": "hidden=16,\n    embed=16, epochs=2",
    },
    "09-topologies": {"range(steps)": "range(steps // 10)"},
    "10-rnn-or-lstm": {
        "KINDS, N, UPDATES = 7, 32, 500": "KINDS, N, UPDATES = 7, 32, 20",
        "[:170_000]": "[:40_000]",
        "epochs=3": "epochs=1",
        "repeats=7": "repeats=2",
    },
    "benchmarks": {"--only lstm ragged": "--only lstm"},
    "classify": {"--epochs 8": "--epochs 2", "--epochs 10": "--epochs 2", "--epochs 20": "--epochs 2"},
    "inspect": {"(textwrap, argparse, ast)": "(textwrap,)"},
    "language-model": {
        "for name in sorted(topics))": "for name in sorted(topics)[:15])",
        "--hidden 128": "--hidden 16",
    },
    "search": {"[:20]": "[:5]"},
    "when-training-goes-wrong": {"--epochs 9": "--epochs 2", "--epochs 6": "--epochs 2", "--epochs 12": "--epochs 2"},
}


def shortened(name: str, code: str) -> str:
    """Code of a page, with what is smaller in its place.

    Args:
        name: the page's or lesson's, without its ending.
        code: any piece of it.
    """
    for there, instead in SHORTER.get(name, {}).items():
        code = code.replace(there, instead)
    return code


def lost(name: str, codes: list[str]) -> Iterator[str]:
    """What is no longer in a page's code."""
    for there in SHORTER.get(name, {}):
        if not any(there in code for code in codes):
            yield there
