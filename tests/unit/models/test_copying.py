"""Copying and coverage: the equations of See et al. (2017) step by step in float64, and words that were never seen."""

import random

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import ostinato
from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError, DataError
from ostinato.decoding import best_sequences
from ostinato.layers.attention import Attention
from ostinato.layers.copying import mixed, repeated
from ostinato.losses import decoded_cross_entropy
from ostinato.tasks.translate.model import Seq2Seq

V, S, N, T = 7, 5, 3, 4


@pytest.fixture
def model():
    torch.manual_seed(0)

    def build(**options):
        made = Seq2Seq(V, V, 6, 8, bidirectional=False, **options).double().eval()
        with torch.no_grad():
            for name, parameter in made.named_parameters():
                if "coverage" in name:
                    parameter.normal_()
        return made

    return build


def batch(seed=1):
    draw = torch.Generator().manual_seed(seed)
    source = torch.randint(2, V, (S, N), generator=draw)
    lengths, target_lengths = torch.tensor([5, 3, 4]), torch.tensor([4, 2, 3])
    copied = torch.randint(2, V + 3, (S, N), generator=draw)
    copied[0] = V + torch.arange(N)  # each source has words of its own that the vocabulary lacks
    targets = torch.randint(2, V, (T, N), generator=draw)
    targets[1] = copied[0]
    inputs = torch.cat([torch.zeros(1, N, dtype=torch.long), targets[:-1]])
    more = {
        "target_inputs": inputs.masked_fill(inputs >= V, 1),
        "target_lengths": target_lengths,
        "copied": copied,
    }
    return Batch(source, targets, lengths, more=more, counted=int(target_lengths.sum()))


def by_the_paper(model, given, score, covers):
    """Probabilities `[T][n]` of every word, and the coverage losses, one sequence and one step at a time."""
    decoder, attention = model.decoder, model.decoder.attention
    chances, losses = [], []
    for n in range(N):
        length = int(given.lengths[n])
        encoded = model.encoder(given.inputs[:length, n : n + 1])
        h, state, coverage = encoded.outputs[:, 0], encoded.state, torch.zeros(length, dtype=torch.float64)
        for t in range(T):
            x = decoder.embedding.weight[given.more["target_inputs"][t, n]]
            output, state = decoder.first(x[None, None], state)
            s = output[0, 0]
            if score == "additive":
                w_c = coverage[:, None] * attention.coverage if covers else 0
                keys, query = h @ attention.key.weight.T, attention.query.weight @ s + attention.query.bias
                e = torch.tanh(keys + query + w_c) @ attention.weight  # equation 11
            else:
                e = h @ attention.key.weight.T @ s + (attention.coverage * coverage if covers else 0)
            a = e.softmax(0)  # equation 2
            context = a @ h
            read = torch.tanh(decoder.readout(torch.cat([s, context])))
            vocabulary = F.linear(read, decoder.output.weight, decoder.output.bias).softmax(0)
            p_gen = torch.sigmoid(decoder.generates(torch.cat([context, s, x])))  # equation 8
            found = torch.zeros(V + 3, dtype=torch.float64)
            found[:V] = p_gen * vocabulary
            for i in range(length):  # equation 9
                found[given.more["copied"][i, n]] += (1 - p_gen[0]) * a[i]
            chances.append(found)
            losses.append(sum(min(float(a[i]), float(coverage[i])) for i in range(length)))  # equation 12
            coverage = coverage + a  # equation 10
    return [chances[n * T : (n + 1) * T] for n in range(N)], [losses[n * T : (n + 1) * T] for n in range(N)]


@pytest.mark.parametrize("score", ["general", "additive"])
@pytest.mark.parametrize("covers", [False, True])
def test_it_computes_the_papers_equations(model, score, covers):
    made, given = model(attention=score, copy=True, coverage=covers), batch()
    with torch.no_grad():
        chances, losses = by_the_paper(made, given, score, covers)
        output = made(given.inputs, **given.arguments())
        for n in range(N):
            places = given.more["copied"].T[n].expand(T, -1)
            found = mixed(output.logits()[:, n], output.gates[:, n], output.attention[:, n], places)
            length = int(given.more["target_lengths"][n])
            expected = torch.stack(chances[n])[:length, : found.shape[1]]
            torch.testing.assert_close(found[:length], expected)
            torch.testing.assert_close(found.sum(-1), torch.ones(T, dtype=torch.float64))
        steps = [(t, n) for n in range(N) for t in range(int(given.more["target_lengths"][n]))]
        likelihood = -np.mean([float(chances[n][t][given.targets[t, n]].log()) for t, n in steps])
        again = np.mean([losses[n][t] for t, n in steps])
        assert float(decoded_cross_entropy(output, given)) == pytest.approx(likelihood)
        assert float(decoded_cross_entropy(output, given, 0.0, 0.7)) == pytest.approx(likelihood + 0.7 * again)
        spread = -np.mean([float(chances[n][t][:V].log().mean()) for t, n in steps])
        smoothed = float(decoded_cross_entropy(output, given, 0.1))
        assert smoothed == pytest.approx(0.9 * likelihood + 0.1 * spread)


@pytest.mark.parametrize("covers", [False, True])
@pytest.mark.parametrize("width", [1, 3])
def test_the_search_steps_are_the_same_and_sources_do_not_touch_each_other(model, covers, width):
    made, given = model(copy=True, coverage=covers), batch()
    limits = torch.full((N,), 6)
    together = best_sequences(
        made.decoder.step, made.start(given.inputs, given.lengths, given.more["copied"]), limits, width=width
    )
    for n in range(N):
        length = int(given.lengths[n])
        alone = made.start(given.inputs[:length, n : n + 1], None, given.more["copied"][:length, n : n + 1])
        assert best_sequences(made.decoder.step, alone, limits[:1], width=width) == [together[n]]
        written = together[n]
        inputs = torch.tensor([0, *written]).masked_fill(torch.tensor([0, *written]) >= V, 1)
        with torch.no_grad():
            output = made(
                given.inputs[:length, n : n + 1],
                target_inputs=inputs[:, None],
                copied=given.more["copied"][:length, n : n + 1],
            )
            places = given.more["copied"][:length, n].expand(len(inputs), -1)
            chances = mixed(output.logits()[:, 0], output.gates[:, 0], output.attention[:, 0], places)
        if width == 1:
            assert chances.argmax(-1).tolist()[: len(written)] == written


def test_gradients_are_those_of_finite_differences(model):
    made, given = model(copy=True, coverage=True, attention="additive"), batch()

    def loss():
        return decoded_cross_entropy(made(given.inputs, **given.arguments()), given, 0.1, 1.0)

    loss().backward()
    for name in ("decoder.generates.weight", "decoder.attention.coverage", "encoder.embedding.weight"):
        parameter = made.get_parameter(name)
        place = parameter.grad.abs().flatten().argmax()
        with torch.no_grad():
            flat, values = parameter.view(-1), []
            for step in (1e-6, -2e-6):
                flat[place] += step
                values.append(float(loss()))
            flat[place] += 1e-6
        assert float(parameter.grad.flatten()[place]) == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5)


def test_coverage_that_is_zero_changes_nothing_and_what_is_repeated_costs():
    torch.manual_seed(0)
    attention = Attention("general", 4, 3, coverage=True).double()
    memory = attention.memorize(torch.randn(5, 2, 3).double())
    query = torch.randn(1, 2, 4).double()
    covered = torch.rand(2, 1, 5).double()
    torch.testing.assert_close(attention(query, memory, covered)[1], attention(query, memory)[1])
    same = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]]])
    assert repeated(same)[:, 0].tolist() == [0.0, 1.0, 0.0]


def reversed_names(path, count, seed, syllables):
    """Lines of names that are to be written in the other order: `a b c <TAB> c b a`."""
    draw = random.Random(seed)
    lines = []
    for _ in range(count):
        words = ["".join(draw.choices(syllables, k=2)) for _ in range(draw.randint(2, 4))]
        lines.append(" ".join(words) + "\t" + " ".join(reversed(words)))
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.slow
def test_words_that_were_never_seen_are_copied(tmp_path):
    """Training names are of ten syllables, of which the vocabulary holds the commonest; the test's are of others."""
    train = reversed_names(
        tmp_path / "train.tsv", 2_000, 0, ["ba", "di", "fo", "gu", "ke", "li", "mo", "nu", "pa", "re"]
    )
    test = reversed_names(tmp_path / "test.tsv", 50, 1, ["sha", "tri", "vlo", "zwu"])
    options = {"level": "word", "vocab_size": 40, "hidden": 48, "embed": 24, "dropout": 0.0, "threads": 1}
    options |= {"epochs": 12, "lr": 0.01, "label_smoothing": 0.0}
    run = ostinato.train("translate", train, out=tmp_path / "run", copy=True, **options)
    for beam in (1, 4):
        assert run.evaluate(test, beam=beam)["exact_match"] > 0.8, beam
    assert list(run.predict("shasha zwutri", beam=1)) == ["zwutri shasha"]


def test_a_run_that_copies_is_saved_and_read_and_not_exported(tmp_path):
    train = reversed_names(tmp_path / "train.tsv", 60, 0, ["ba", "di", "fo"])
    options = {"level": "word", "vocab_size": 6, "hidden": 8, "embed": 4, "dropout": 0.0, "threads": 1, "epochs": 1}
    run = ostinato.train("translate", train, out=tmp_path / "run", copy=True, coverage=0.5, **options)
    assert run.config["model"]["copy"]
    assert run.config["model"]["coverage"]
    again = ostinato.load(tmp_path / "run")
    assert list(again.predict("xx yy zz")) == list(run.predict("xx yy zz"))
    assert again.codec.written([0, 99, 2, 100], ["?"] * 200).count("?") == 2
    for to in ("onnx", "numpy", "torch"):
        with pytest.raises(DataError, match="was trained with --copy, which no export has"):
            ostinato.export(again, to=to, out=tmp_path / "out")
    with pytest.raises(ConfigError, match="--copy: with --level bpe and --vocabularies separate"):
        ostinato.train("translate", train, out=tmp_path / "no", copy=True, vocabularies="separate")
    with pytest.raises(ConfigError, match="--copy copies what attention looks at: choose an --attention"):
        ostinato.train("translate", train, out=tmp_path / "no", copy=True, attention="none")
    with pytest.raises(ConfigError, match="leave --scheduled-sampling out"):
        ostinato.train("translate", train, out=tmp_path / "no", copy=True, scheduled_sampling=0.5)


def test_pieces_that_both_sides_share_are_copied_as_they_are(tmp_path):
    train = reversed_names(tmp_path / "train.tsv", 60, 0, ["ba", "di", "fo"])
    options = {"vocab_size": 300, "hidden": 8, "embed": 4, "dropout": 0.0, "threads": 1, "epochs": 1}
    run = ostinato.train("translate", train, out=tmp_path / "run", copy=True, **options)
    (ids,) = run.codec.encode_sources(["badi"])
    places, lacking = run.codec.copied("badi", ids)
    assert (places.tolist(), lacking) == (ids.tolist(), [])
    assert run.evaluate(train)["examples"] == 60


def test_words_are_copied_from_shards_too(tmp_path):
    train = reversed_names(tmp_path / "train.tsv", 400, 0, ["ba", "di", "fo"])
    options = {"level": "word", "vocab_size": 6, "hidden": 8, "embed": 4, "dropout": 0.0, "threads": 1, "epochs": 1}
    run = ostinato.train("translate", train, out=tmp_path / "run", copy=True, shard_size=0.002, **options)
    assert run.config["data"]["train"]["shards"] > 1
    assert run.evaluate(train)["examples"] == 400
