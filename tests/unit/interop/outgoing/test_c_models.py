"""Whole models in C: every pooling, direction and head, against the model itself."""

import struct
from itertools import product

import numpy as np
import pytest
import torch

from ostinato.core.errors import ConfigError
from ostinato.interop.outgoing.c import (
    LanguageModelParts,
    SequenceParts,
    TaggerParts,
    Tokens,
    TranscriberParts,
    identifier,
    language_model,
    recurrent_layer,
    sequence_model,
    tagger,
    transcriber,
    tried,
)
from ostinato.layers.recurrent import Recurrent
from ostinato.models.many_to_one import ManyToOne
from ostinato.runtime.alignment import best_path
from ostinato.tasks.lm.model import LanguageModel
from ostinato.tasks.tag.codec import span_constraints
from ostinato.tasks.tag.heads import decode_tags
from ostinato.tasks.tag.model import Tagger
from ostinato.tasks.transcribe.model import Transcriber
from tests.unit.interop.outgoing.compiled import on

MEAN, DEVIATION = np.array([1.0, 2.0, 1e6]), np.array([2.0, 3.0, 4.0])
TAGS = ("B-X", "I-X", "O", "B-Y", "I-Y")


def apart(program, given, expected, folder, machine):
    output = tried(program, folder, given, **on(machine)).output
    return np.abs(np.frombuffer(output, expected.dtype) - expected.ravel()).max()


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def grown(model):
    """With larger weights than at the start, so that a slip shows."""
    torch.manual_seed(1)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.add_(0.3 * torch.randn_like(tensor))
    return model.eval()


@pytest.mark.parametrize(
    "machine", ["here", "64-bit Arm", "32-bit Arm", pytest.param("sanitized", marks=pytest.mark.slow)]
)
def test_a_language_model_with_all_there_is(tmp_path, machine):
    """Tied weights, a last layer of its own, documents that begin anew, characters of every kind."""
    characters = ["<eos>", "<unk>", *'ab@é"\\?%\n']
    V = len(characters)
    model = grown(LanguageModel(V, 6, 10, 3, cell="gru", tied=True, last_size=6, separator=3))
    stacks = [model.recurrent, model.last]
    tokens = Tokens("char", characters, 1)
    parts = LanguageModelParts(["@ */ one"], model.embedding.weight, stacks, None, model.decoder.bias, 0, 3, tokens)
    ids = torch.randint(0, V, (40,))
    given = struct.pack("<i", 40) + ids.int().numpy().tobytes()
    with torch.no_grad():
        expected = model(ids[:, None]).logits()[:, 0].numpy()
    assert apart(language_model(parts, "model", "float32"), given, expected, tmp_path, machine) < 1e-5


def reading(kind, pooling, **options):
    """A model of three features or of tokens, and its parts."""
    features = {"features": 3, "embed_size": 5 if pooling == "max" else None}
    sizes = {"vocab_size": 11, "embed_size": 6} if kind == "tokens" else features
    model = grown(ManyToOne(4, hidden_size=7, num_layers=2, pooling=pooling, **sizes, **options))
    if kind == "tokens":
        tokens = Tokens("word", list("abcdefghijk"), 1)
        more = {"answer": "softmax", "embedding": model.input.weight, "tokens": tokens}
    else:
        more = {"answer": "scale", "mean": MEAN.tolist(), "deviation": DEVIATION.tolist()}
        more |= {"target_mean": [1.0, 2.0, 3.0, 4.0], "target_deviation": [1.0, 2.0, 1.0, 2.0]}
        if model.convolutions is not None:
            more["convolutions"] = [(layer.weight, layer.bias) for layer in model.convolutions.layers]
        if pooling == "max":
            more["linear"] = model.input.weight, model.input.bias
    if model.attention is not None:
        more["attention"] = model.attention[0].weight, model.attention[0].bias, model.attention[2].weight
    about, names = ["A model."], ["a", "b", "@ c", "d"]
    output = model.output.weight, model.output.bias
    return model, SequenceParts(about, model.recurrent, pooling, *output, names=names, max_length=9, **more)


def sequences(model, parts, lengths=(0, 1, 2, 9)):
    random, given, expected = np.random.default_rng(1), b"", []
    for length in lengths:
        if parts.embedding is not None:
            raw = random.integers(0, 11, length).astype("<i4")
            x = torch.from_numpy(raw.astype(np.int64))
        else:
            raw = random.normal(MEAN, DEVIATION, (length, 3))
            x = torch.from_numpy(((raw - MEAN) / DEVIATION).astype(np.float32))
        padded = torch.cat([x, x.new_zeros(1, *x.shape[1:])]).unsqueeze(1)
        with torch.no_grad():
            found = model(padded, torch.tensor([length])).outputs[0]
        if parts.answer == "softmax":
            expected.append(found.softmax(-1).numpy())
        else:
            expected.append(found.double().numpy() * np.array(parts.target_deviation) + np.array(parts.target_mean))
        given += struct.pack("<i", length) + raw.tobytes()
    return given, np.stack(expected)


@pytest.mark.parametrize(
    ("kind", "pooling", "options", "machine"),
    [
        ("tokens", "attention", {"bidirectional": True}, "here, at once"),
        ("numbers", "last", {"bidirectional": False}, "here, at once"),
        ("numbers", "max", {"bidirectional": True, "convolutions": 2}, "here, at once"),
        ("numbers", "mean", {"bidirectional": False, "convolutions": 1}, "32-bit Arm"),
        *(
            pytest.param(*each, "sanitized", marks=pytest.mark.slow)
            for each in product(
                ("tokens", "numbers"),
                ("last", "mean", "max", "attention"),
                (
                    {"bidirectional": True},
                    {"bidirectional": True, "merge": "mean", "cell": "qrnn"},
                    {"bidirectional": False, "cell": "sru"},
                    {"bidirectional": False, "reverse": True},
                ),
            )
        ),
        *(
            pytest.param("numbers", pooling, {"convolutions": 2, "cell": "gru"}, "sanitized", marks=pytest.mark.slow)
            for pooling in ("last", "mean", "max", "attention")
        ),
    ],
)
def test_a_sequence_has_one_answer(tmp_path, kind, pooling, options, machine):
    model, parts = reading(kind, pooling, **options)
    given, expected = sequences(model, parts)
    assert apart(sequence_model(parts, "model", "float32"), given, expected, tmp_path, machine) < 1e-5


@pytest.mark.slow
def test_a_longer_sequence_loses_its_middle(tmp_path):
    model, parts = reading("tokens", "mean", bidirectional=True)
    ids = np.arange(14, dtype="<i4") % 11
    kept = np.concatenate([ids[:5], ids[10:]]).astype(np.int64)
    with torch.no_grad():
        expected = model(torch.from_numpy(kept)[:, None], torch.tensor([9])).outputs[0].softmax(-1).numpy()
    given = struct.pack("<i", 14) + ids.tobytes()
    assert apart(sequence_model(parts, "model", "float32"), given, expected, tmp_path, "here") < 1e-5


def tagging(head, characters, features, longest=30):
    sizes = {"character_embed_size": 5, "character_hidden_size": characters, "feature_embed_size": 3}
    model = grown(Tagger(20, 9, 5, 8, 6, 2, cell="lstm", head=head, num_features=features, **sizes))
    constraints = span_constraints(TAGS) if features else None
    chain = model.crf.chain().plus(constraints) if head == "crf" else constraints
    spelling = (model.spelling.embedding.weight, model.spelling.recurrent) if characters else None
    tables = [table.weight for table in model.features]
    output = model.output.weight, model.output.bias
    parts = TaggerParts(
        ["A tagger."], model.embedding.weight, spelling, tables, model.recurrent, *output, chain, TAGS, 'abcdé@"\\', 24,
        longest,
    )  # fmt: skip
    return model, constraints, parts


def sentences(model, constraints, features, lengths):
    random, given, expected = np.random.default_rng(1), b"", []
    for T in lengths:
        words, counts = random.integers(0, 20, T), random.integers(1, 12, T)
        spelled = [random.integers(0, 9, count) for count in counts]
        columns = np.stack([random.integers(0, size, T) for size in features]) if features else None
        given += struct.pack("<i", T) + words.astype("<i4").tobytes()
        if model.spelling.output_size:
            given += counts.astype("<i4").tobytes() + struct.pack("<i", counts.sum())
            given += np.concatenate(spelled).astype("<i4").tobytes()
        if columns is not None:
            given += np.ascontiguousarray(columns.T).astype("<i4").tobytes()
        characters = torch.zeros(max(counts), T, dtype=torch.long)
        for column, ids in enumerate(spelled):
            characters[: len(ids), column] = torch.from_numpy(ids)
        with torch.no_grad():
            output = model(
                torch.from_numpy(words)[:, None],
                torch.tensor([T]),
                spelled=torch.arange(T)[:, None],
                characters=characters,
                character_lengths=torch.from_numpy(counts),
                features=None if columns is None else torch.from_numpy(columns)[:, :, None],
            )
        expected.append(output.emissions[:, 0].numpy().ravel())
        expected.append(decode_tags(output, constraints)[:, 0].numpy().astype(np.float32))
    return given, np.concatenate(expected)


@pytest.mark.parametrize(
    ("head", "characters", "features", "machine"),
    [
        ("crf", 7, (4, 3), "here, at once"),
        *(
            pytest.param(*each, "sanitized", marks=pytest.mark.slow)
            for each in product(("softmax", "crf"), (0, 7), ((), (4, 3)))
        ),
    ],
)
def test_a_sentence_has_its_tags(tmp_path, head, characters, features, machine):
    model, constraints, parts = tagging(head, characters, features)
    given, expected = sentences(model, constraints, features, (1, 2, 7, 30))
    assert apart(tagger(parts, "model", "float32"), given, expected, tmp_path, machine) < 1e-5


@pytest.mark.slow
def test_a_longer_sentence_is_read_in_even_pieces(tmp_path):
    model, constraints, parts = tagging("crf", 0, (), longest=4)
    words = np.random.default_rng(1).integers(0, 20, 9)
    tags = []
    for piece in (words[:3], words[3:6], words[6:]):
        with torch.no_grad():
            none = torch.zeros(3, 1, dtype=torch.long)
            output = model(
                torch.from_numpy(piece)[:, None], None, spelled=none, characters=none, character_lengths=none
            )
        tags.append(decode_tags(output, constraints)[:, 0].numpy().astype(np.float32))
    given = struct.pack("<i", 9) + words.astype("<i4").tobytes()
    assert apart(tagger(parts, "model", "float32"), given, np.concatenate(tags), tmp_path, "sanitized") == 0


@pytest.mark.parametrize(
    ("options", "machine"),
    [
        ({"bidirectional": True}, "here, at once"),
        ({"bidirectional": False, "num_layers": 2, "cell": "gru"}, "here, at once"),
        pytest.param({"bidirectional": True}, "sanitized", marks=pytest.mark.slow),
        pytest.param({"bidirectional": False, "num_layers": 2}, "sanitized", marks=pytest.mark.slow),
        pytest.param({"bidirectional": True}, "32-bit Arm", marks=pytest.mark.slow),
    ],
)
def test_frames_say_symbols_along_the_best_path(tmp_path, options, machine):
    model = grown(Transcriber(3, 4, 7, **options))
    model.output.bias.data.zero_()  # that not all frames say the same
    model.output.bias.data[0] = -2  # and something: class 0 is the blank
    about, output = ["A transcriber."], (model.output.weight, model.output.bias)
    parts = TranscriberParts(about, model.recurrent, *output, ["a", "b", '"@', "é"], MEAN.tolist(), DEVIATION.tolist())
    random, given, expected = np.random.default_rng(1), b"", []
    for length in (0, 1, 2, 40):
        raw = random.normal(MEAN, 3 * DEVIATION, (length, 3))
        x = torch.from_numpy(((raw - MEAN) / DEVIATION).astype(np.float32))
        given += struct.pack("<i", length) + raw.tobytes()
        if length:
            with torch.no_grad():
                scores = model(x.unsqueeze(1), torch.tensor([length])).logits[:, 0].numpy()
            expected += [scores.ravel(), np.array(best_path(scores).symbols, np.float32)]
    assert len(expected[-1]) > 1  # something is said
    assert apart(transcriber(parts, "model", "float32"), given, np.concatenate(expected), tmp_path, machine) < 1e-5


@pytest.mark.parametrize("machine", ["here, at once", pytest.param("sanitized", marks=pytest.mark.slow)])
def test_layers_alone_read_a_sequence(tmp_path, machine):
    layer = grown(Recurrent("gru", 3, 4, 2, bidirectional=True, merge="mean"))
    given, expected = b"", []
    for length in (0, 1, 17):
        x = torch.randn(length, 1, 3)
        given += struct.pack("<i", length) + x.numpy().tobytes()
        with torch.no_grad():
            expected.append(layer(x)[0].numpy().ravel())
    program = recurrent_layer(layer, ["Layers."], "layer", "float32")  # a name that the files have within, too
    assert apart(program, given, np.concatenate(expected), tmp_path, machine) < 1e-5


@pytest.mark.parametrize("name", ["Model", "9x", "for", "a-b", "", "main", "é"])
def test_a_name_that_c_would_not_take(name):
    with pytest.raises(ConfigError, match="--name"):
        identifier(name)


@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("name", ["layer_0", "layer_1"])
def test_a_name_that_the_files_have_within(name, weights):
    layer = Recurrent("lstm", 3, 4, 2)
    with pytest.raises(ConfigError, match=f"--name: '{name}' would make {name}_\\w+ the name of two things"):
        recurrent_layer(layer, ["Layers."], name, weights)


@pytest.mark.parametrize("name", ["layer", "step", "room", "multiply", "recurrent"])
def test_other_names_of_theirs_do_not_meet(tmp_path, name):
    layer = grown(Recurrent("lstm", 3, 4))
    x = torch.randn(5, 1, 3)
    program = recurrent_layer(layer, ["Layers."], name, "float32")
    with torch.no_grad():
        expected = layer(x)[0].numpy().ravel()
    assert apart(program, struct.pack("<i", 5) + x.numpy().tobytes(), expected, tmp_path, "here, at once") < 1e-5


def test_a_name_that_it_takes():
    assert identifier("sales_2") == "sales_2"
