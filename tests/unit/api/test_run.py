"""A trained run: loading, measuring, writing on."""

import json
import math
import shutil
from collections import Counter

import pytest
import torch

import ostinato
from ostinato.api.info import describe
from ostinato.api.listing import list_runs
from ostinato.compiler import build
from ostinato.core.errors import ConfigError, DataError, RunFolderError
from ostinato.core.results import builtins
from ostinato.native import library as native_library
from ostinato.tasks.lm.model import LanguageModelStream
from ostinato.tasks.lm.writing import Stop
from tests.support import prose

TEXT = prose(60) + "ein Mäusebär\n"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A small run a level, trained once."""
    home = tmp_path_factory.mktemp("runs")
    (home / "book.txt").write_text(TEXT)
    options = {"hidden": 12, "batch": 4, "steps": 10, "threads": 1, "dropout": 0.0, "epochs": 2, "lr": 0.02}
    sizes = {"char": None, "word": 9, "bpe": 270}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        for level, size in sizes.items():
            more = {} if size is None else {"vocab_size": size}
            ostinato.train(
                "lm", home / "book.txt", out=home / level, level=level, valid=str(home / "book.txt"), **options, **more
            )
    return home


@pytest.fixture
def copy(runs, tmp_path):
    """A run's folder to break."""
    shutil.copytree(runs / "char", tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_evaluate_is_the_mean_over_every_token(runs, tmp_path, level):
    run = ostinato.load(runs / level)
    (tmp_path / "some.txt").write_text(TEXT[-700:])
    figures = run.evaluate(tmp_path / "some.txt")
    ids = run.tokenizer.encode(TEXT[-700:])
    with torch.no_grad():
        logits = run.model(torch.tensor([run.tokenizer.eos_id, *ids[:-1]])[:, None]).logits()[:, 0].double()
    loss = -sum(logits[t].log_softmax(0)[token] for t, token in enumerate(ids)).item() / len(ids)
    assert figures["tokens"] == len(ids)
    assert figures["loss"] == pytest.approx(loss, rel=1e-5)
    assert figures["perplexity"] == pytest.approx(math.exp(loss), rel=1e-4)
    assert ("bits_per_character" in figures) == (level == "char")


def test_greedy_is_the_argmax_of_the_whole_text_so_far(runs):
    run = ostinato.load(runs / "char")
    ids = [0, *run.tokenizer.encode("the cat")]
    for _ in range(30):
        with torch.no_grad():
            scores = run.model(torch.tensor(ids)[:, None]).logits()[-1, 0]
        scores[[0, 1]] = -torch.inf  # <eos> and <unk> are no characters
        ids.append(int(scores.argmax()))
    expected = run.tokenizer.decode(ids[8:])
    assert "".join(run.generate("the cat", length=30, greedy=True)) == expected
    assert len(expected) == 30


@pytest.mark.parametrize("prompt", ["", "the cat"])
def test_a_text_begins_behind_eos(runs, prompt):
    run = ostinato.load(runs / "char")
    seen = []
    run.model.register_forward_pre_hook(lambda _, args: seen.append(args[0][:, 0].tolist()))
    next(run.generate(prompt, length=1))
    assert seen == [[0, *run.tokenizer.encode(prompt)]]


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_the_same_seed_writes_the_same_text(runs, level):
    run = ostinato.load(runs / level)
    texts = ["".join(run.generate("the", length=40, seed=seed)) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert "".join(ostinato.load(runs / level).generate("the", length=40, seed=1)) == texts[0]


@pytest.mark.parametrize("level", ["char", "word"])
def test_the_unknown_token_is_never_written(runs, level):
    run = ostinato.load(runs / level)
    with torch.no_grad():
        run.model.decoder.bias[run.tokenizer.unk_id] += 100.0
    for options in ({"greedy": True}, {"seed": 1}, {"seed": 1, "top_k": 2}):
        assert "<unk>" not in "".join(run.generate("the", length=50, **options))


def test_eos_ends_a_line_of_words_but_is_no_character(runs):
    for level, written in (("word", True), ("char", False)):
        run = ostinato.load(runs / level)
        with torch.no_grad():
            run.model.decoder.bias[0] += 100.0
        text = "".join(run.generate("the", length=10, seed=1))
        assert (text == "\n" * 10) == written
        assert "<eos>" not in text


def test_words_have_one_space_between_them_the_prompt_included(runs):
    run = ostinato.load(runs / "word")
    known = " ".join(word for word in run.tokenizer.vocabulary if word not in ("<eos>", "<unk>"))
    for prompt, start in ((known, " "), (f"{known} ", "")):
        text = "".join(run.generate(prompt, length=30, seed=4))
        assert len((prompt + text).split()) + text.count("\n") == 7 + 30
        assert text.startswith(start or text[0].strip() or "\n")
        assert "  " not in text


def test_unknown_characters_in_a_prompt_are_named_before_anything_is_written(runs):
    with pytest.raises(DataError, match=r"characters that the model has never seen: '€', 'f', 'Q'; leave them out"):
        ostinato.load(runs / "char").generate("the €ur€ of Q")


def test_unknown_words_in_a_prompt_are_read_as_unk(runs):
    run = ostinato.load(runs / "word")
    with pytest.warns(UserWarning, match="words that the model has never seen, read as <unk>: 'zebra', 'lion'"):
        written = "".join(run.generate("the zebra zebra lion", length=30, seed=1))
    assert written == "".join(run.generate("the <unk> <unk> <unk>", length=30, seed=1))


def test_several_prompts_and_samples(runs):
    run = ostinato.load(runs / "char")

    def one(prompt, seed):
        return "".join(run.generate(prompt, length=20, seed=seed))

    assert list(run.generate(["the", "cat"], length=20, seed=3)) == [one("the", 3), one("cat", 3)]
    assert list(run.generate("the", length=20, seed=3, samples=3)) == [one("the", seed) for seed in (3, 4, 5)]
    expected = [one(prompt, seed) for prompt in ("the", "cat") for seed in (3, 4)]
    assert list(run.generate(("the", "cat"), length=20, seed=3, samples=2)) == expected
    assert len(set(run.generate("the", length=40, samples=3))) == 3
    assert list(run.generate([], length=20)) == []


def test_more_texts_than_are_written_at_a_time(runs, monkeypatch):
    monkeypatch.setattr("ostinato.tasks.lm.task.TOGETHER", 3)
    run, said = ostinato.load(runs / "char"), []
    prompts = ["the", "cat", "the cat ", "", "a", "sat", "the"]
    ways = {"length": 30, "stop": "s"}
    alone = ["".join(run.generate(prompt, seed=seed, **ways)) for prompt in prompts for seed in (8, 9)]
    assert len({len(text) for text in alone}) > 2  # some end early, and make room
    together = run.generate(prompts, seed=8, samples=2, progress=lambda *so_far: said.append(so_far), **ways)
    assert list(together) == alone
    assert [done for done, _ in said] == sorted(done for done, _ in said)
    assert said[-1] == (420, 420)


def test_prompts_that_are_none(runs):
    run = ostinato.load(runs / "char")
    for prompt in (["the", 3], 3):
        with pytest.raises(ConfigError, match="prompt: expected a text, or a list of texts, got 3"):
            run.generate(prompt)
    with pytest.raises(ConfigError, match="prompt: expected a text, or a list of texts, got None"):
        run.generate(None)
    with pytest.raises(ConfigError, match="--samples: expected at least 1, got 0"):
        run.generate("the", samples=0)


def test_temperature_zero_is_greedy(runs):
    run = ostinato.load(runs / "char")
    assert list(run.generate("the", length=30, temperature=0)) == list(run.generate("the", length=30, greedy=True))


def test_bytes_know_every_prompt(runs):
    text = "".join(ostinato.load(runs / "bpe").generate("日本 ¿Ωx?", length=20, seed=1))
    assert isinstance(text, str)


@pytest.mark.parametrize(
    ("pieces", "stop", "expected"),
    [
        (["ab", "cd", "ef"], "cd", "abcd"),
        (["ab", "cd", "ef"], "bc", "abc"),
        (["a", "b", "c", "d", "e"], "bcd", "abcd"),
        (["ab", "cd", "ef"], "f", "abcdef"),
        (["ab", "cd", "ef"], "a", "a"),
        (["abcdef"], "cd", "abcd"),
        (["ab", "abc"], "abc", "ababc"),
        (["aa", "ab"], "aab", "aaab"),
        (["ab", "cd"], "x", "abcd"),
        (["ab", "cd"], "abcde", "abcd"),
        (["ab", "cd"], None, "abcd"),
        (["ab", "cd"], "", "abcd"),
        ([], "x", ""),
    ],
)
def test_writing_ends_with_the_stop_text_across_pieces(pieces, stop, expected):
    passed, written = Stop(stop), ""
    for piece in pieces:
        written += passed(piece)
        if passed.met:
            break
    assert written == expected


def test_after_the_stop_text_no_more_is_computed(runs, monkeypatch):
    run = ostinato.load(runs / "char")
    steps = [1]  # the prompt's
    step = LanguageModelStream.step
    monkeypatch.setattr(LanguageModelStream, "step", lambda self, ids: steps.append(1) or step(self, ids))
    text = "".join(run.generate("the ", length=500, seed=1, stop="at"))
    assert text.endswith("at")
    assert text.count("at") == 1
    assert len(steps) == len(text) < 500


def test_options_are_checked(runs):
    run = ostinato.load(runs / "char")
    with pytest.raises(ConfigError, match="--temperature: expected at least 0, got -1"):
        run.generate("the", temperature=-1)
    with pytest.raises(TypeError, match="top_q"):
        run.generate("the", top_q=3)


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda run: run.evaluate("x.txt", dynamik=1), ConfigError, "'dynamik': did you mean 'dynamic'"),
        (lambda run: run.evaluate("x.txt", retrain=True), ConfigError, "--retrain"),
        (lambda run: run.evaluate("x.txt", dynamic=0.1, retrain=True), ConfigError, "--retrain"),
        (lambda run: run.inspect("gates", "look", tokenz=3), ConfigError, "'tokenz': did you mean 'tokens'"),
        (lambda run: run.reading(encodng="x"), ConfigError, "'encodng': did you mean 'encoding'"),
        (lambda run: run.generate("the", top_q=3), ConfigError, "'top_q': did you mean 'top_p'"),
        (lambda run: run.predict("x.txt"), RunFolderError, "generate lets it write"),
    ],
)
def test_a_call_raises_what_its_docstring_says(runs, ask, error, message):
    with pytest.raises(error, match=message):
        ask(ostinato.load(runs / "char"))


def test_a_sample_has_the_models_letters(runs):
    """Not only plausible: over many draws the first letter follows the model's own probabilities."""
    run = ostinato.load(runs / "char")
    with torch.no_grad():
        scores = run.model(torch.tensor([[0]])).logits()[0, 0]
    scores[[0, 1]] = -torch.inf
    shares = scores.softmax(0)
    drawn = Counter("".join(run.generate("", length=1, seed=seed)) for seed in range(400))
    likely = [token for token in range(run.tokenizer.size) if 400 * shares[token] >= 5]
    square = sum(
        float((drawn[run.tokenizer.token(token)] - 400 * shares[token]) ** 2 / (400 * shares[token]))
        for token in likely
    )
    assert len(likely) >= 5
    assert square < 40


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda run: shutil.rmtree(run), RunFolderError, "copy: no such run folder"),
        (lambda run: (run / "config.json").unlink(), RunFolderError, "copy: not a run folder"),
        (lambda run: (run / "config.json").write_text("{"), RunFolderError, "config.json: damaged, expected JSON"),
        (lambda run: edit(run, task="chess"), RunFolderError, "copy: a run of task 'chess'"),
        (lambda run: edit(run, model=None), RunFolderError, "config.json: damaged, it does not describe"),
        (lambda run: edit(run, model={"x": 1}), RunFolderError, "config.json: damaged, it does not describe"),
        (lambda run: edit(run, cell="lstn"), ConfigError, "config.json: unknown cell 'lstn': did you mean 'lstm'"),
        (lambda run: edit(run, hidden_size=13), RunFolderError, "model.safetensors: does not fit config.json"),
        (lambda run: edit(run, num_layers=2), RunFolderError, "model.safetensors: does not fit config.json"),
        (lambda run: (run / "tokenizer.json").unlink(), RunFolderError, "tokenizer.json: expected the JSON file"),
        (lambda run: (run / "tokenizer.json").write_text("{}"), RunFolderError, "tokenizer.json: expected the JSON"),
        (lambda run: (run / "model.safetensors").unlink(), RunFolderError, "model.safetensors: cannot be read"),
        (lambda run: cut(run / "model.safetensors"), RunFolderError, "model.safetensors: damaged or cut off"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(copy, change, kind, message):
    change(copy)
    with pytest.raises(kind, match=message):
        ostinato.load(copy)


def edit(run, **changes):
    """Change config.json, or the model's part of it."""
    config = json.loads((run / "config.json").read_text())
    for name, value in changes.items():
        (config if name in config else config["model"])[name] = value
    (run / "config.json").write_text(json.dumps(config))


def cut(file):
    file.write_bytes(file.read_bytes()[:-100])


def test_loading_runs_no_code_and_needs_no_checkpoint(copy):
    shutil.rmtree(copy / "checkpoint")
    run = ostinato.load(copy)
    assert not run.model.training
    assert "".join(run.generate("the", length=5, greedy=True))
    assert repr(run) == f"Run({str(copy)!r}, task='lm')"


def test_a_table_of_runs(runs, tmp_path):
    for name in ("one", "two", "broken", "fresh"):
        shutil.copytree(runs / "char", tmp_path / name)
    (tmp_path / "notes").mkdir()
    latest = tmp_path / "two/checkpoint/latest.json"
    values = json.loads(latest.read_text())
    values["position"] |= {"finished": False, "step": 3}
    latest.write_text(json.dumps(values))
    (tmp_path / "broken/checkpoint/latest.json").write_text("{}")
    shutil.rmtree(tmp_path / "fresh/checkpoint")
    rows = {row.run.rsplit("/", 1)[1]: builtins(row) for row in list_runs(tmp_path)}
    best = json.loads((runs / "char/checkpoint/latest.json").read_text())["position"]["best"]
    steps = 2 * -(-(len(TEXT) // 4) // 10)
    assert list(rows) == ["broken", "fresh", "one", "two"]
    assert {name: row["state"] for name, row in rows.items()} == {
        "broken": "damaged",
        "fresh": "interrupted",
        "one": "finished",
        "two": "interrupted",
    }
    assert rows["one"] | {"task": "lm", "cell": "lstm", "steps": steps, "epochs": 2, "valid_loss": best} == rows["one"]
    assert rows["two"]["steps"] == 3


def test_info_says_who_runs_each_cell():
    found = builtins(describe())
    cells = {cell["name"]: cell for cell in found["cells"]}
    assert found["versions"]["torch"] == torch.__version__
    assert found["threads"] == torch.get_num_threads()
    library = native_library.load()
    for cell in cells.values():
        assert (cell["isa"] is not None) == (cell["kernel"] == "native")
        assert bool(cell["reason"]) == (cell["kernel"] == "reference")
        assert all(case["kernel"] != cell["kernel"] and case["reason"] for case in cell["elsewhere"])
    if isinstance(library, str):
        assert found["native"] == library
        assert library in cells["lstm_peephole"]["reason"]
    else:
        assert cells["lstm"]["isa"] == found["native"] == library.isa
        assert {case["when"] for case in cells["lstm"]["elsewhere"]} >= {"float64"}
    assert "Hochreiter" in cells["lstm"]["paper"]


def test_info_says_what_compiles_cells(monkeypatch, tmp_path):
    monkeypatch.delenv(build.CACHE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("OSTINATO_COMPILER", "none")
    build.compiler.cache_clear()
    try:
        found = describe()
    finally:
        build.compiler.cache_clear()
    assert found.compiler == "none (OSTINATO_COMPILER=none)"
    assert found.compiled == str(tmp_path / "ostinato" / "kernels")
    (own,) = [cell for cell in found.cells if cell.name == "mgu"]
    assert own.kernel == "reference"
    assert "compiled: none (OSTINATO_COMPILER=none)" in own.reason


def test_info_says_what_runs_on_a_gpu(monkeypatch):
    monkeypatch.setattr("ostinato.api.info.available", lambda: ["cuda", "cpu"])
    there = {cell.name: {case.when: case.kernel for case in cell.elsewhere} for cell in describe().cells}
    ragged = "on a GPU with lengths, recurrent dropout, zoneout or resets"
    assert [there[name]["on a GPU"] for name in ("lstm", "mgu")] == ["torch", "graphs"]
    assert {cases[ragged] for cases in there.values()} == {"graphs"}
