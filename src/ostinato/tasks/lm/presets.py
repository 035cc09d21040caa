"""Named settings. A preset sets options by name, as --config does; an option given explicitly wins."""

from typing import Any

#: AWD-LSTM's regularisation with AdamW and an average from the start: for as long as there is, hours or a night.
_AWD: dict[str, Any] = {
    "level": "word",
    "vocab_size": 10_000,
    "layers": 2,
    "hidden": 750,
    "embed": 400,
    "tied": True,
    "locked_dropout": True,
    "embedding_dropout": 0.1,
    "input_dropout": 0.35,
    "hidden_dropout": 0.25,
    "output_dropout": 0.4,
    "weight_drop": 0.3,
    "ar": 2.0,
    "tar": 1.0,
    "batch": 32,
    "steps": 35,
    "random_steps": True,
    "optimizer": "adamw",
    "lr": 0.005,
    "weight_decay": 0.05,
    "schedule": "cosine",
    "clip": 0.25,
    "average": 0.05,
    "epochs": 35,
}

#: Presets of `train lm`.
LANGUAGE_MODEL: dict[str, dict[str, Any]] = {
    # Tiny: a few lines of text, learned by heart.
    "hello": {
        "level": "char",
        "hidden": 32,
        "embed": 16,
        "dropout": 0.0,
        "batch": 1,
        "steps": 16,
        "lr": 0.01,
        "schedule": "constant",
        "epochs": 100,
    },
    # The defaults, under a name.
    "char": {"level": "char"},
    # Saitoh, Deep Learning from Scratch 2, chapter 6: Rnnlm. There the rate is constant; lowered along a cosine, the
    # same four passes end at a test perplexity of 131 instead of 138.
    "rnnlm": {
        "level": "word",
        "vocab_size": 10_000,
        "layers": 1,
        "hidden": 100,
        "embed": 100,
        "dropout": 0.0,
        "batch": 20,
        "steps": 35,
        "optimizer": "sgd",
        "lr": 20.0,
        "schedule": "cosine",
        "warmup": 0.0,
        "clip": 0.25,
        "epochs": 4,
    },
    # The same chapter's BetterRnnlm, after Zaremba et al. 2014 and Press, Wolf 2017.
    "better-rnnlm": {
        "level": "word",
        "vocab_size": 10_000,
        "layers": 2,
        "hidden": 650,
        "embed": 650,
        "dropout": 0.5,
        "tied": True,
        "batch": 20,
        "steps": 35,
        "optimizer": "sgd",
        "lr": 20.0,
        "schedule": "plateau",
        "lr_divide": 4.0,
        "clip": 0.25,
        "epochs": 40,
    },
    # Merity, Keskar, Socher 2018, for the Penn Treebank.
    "awd-lstm": {
        "level": "word",
        "vocab_size": 10_000,
        "layers": 3,
        "hidden": 1150,
        "embed": 400,
        "tied": True,
        "locked_dropout": True,
        "embedding_dropout": 0.1,
        "input_dropout": 0.4,
        "hidden_dropout": 0.25,
        "output_dropout": 0.4,
        "weight_drop": 0.5,
        "ar": 2.0,
        "tar": 1.0,
        "batch": 20,
        "steps": 70,
        "random_steps": True,
        "optimizer": "sgd",
        "lr": 30.0,
        "schedule": "constant",
        "clip": 0.25,
        "weight_decay": 1.2e-6,
        "average_after": 5,
        "epochs": 500,
    },
    # Its regularisation in a recipe of hours in the place of days: a test perplexity of 66 in two.
    "awd": _AWD,
    # The same with the cell of Melis, Kočiský, Blunsom 2020.
    "mogrifier": {**_AWD, "cell": "mogrifier_lstm"},
}
