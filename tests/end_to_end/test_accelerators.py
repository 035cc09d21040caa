"""`--accelerator` of every command that computes; what needs a GPU is left out where there is none."""

import pytest
import torch

from tests.support import TINY, prose

#: Options of other tasks, likewise.
SMALL = ["--hidden", "8", "--epochs", "1", "--threads", "1"]
NO_GPU = not torch.cuda.is_available()
EVALUATE, GENERATE = (
    ["evaluate", "lm", "book.txt"],
    ["generate", "lm", "--prompt", "the", "--length", "20", "--seed", "3"],
)
PREDICT, PLOT = ["predict", "classify", "texts.csv"], ["plot", "forecast", "series.csv", "--out", "picture.png"]
INSPECT = ["inspect", "lm", "loss", "--data", "book.txt", "--out", "loss"]


@pytest.fixture
def runs(work, cli):
    """A run of each kind, trained in a blink."""

    def make(task):
        if task == "lm":
            (work / "book.txt").write_text(prose(60))
            words = ["lm", "book.txt", *TINY]
        elif task == "classify":
            rows = "".join(f"{'yes' if 'cat' in line else 'no'},{line}\n" for line in prose(40).splitlines())
            (work / "texts.csv").write_text("label,text\n" + rows)
            words = ["classify", "texts.csv", "--label", "label", "--text", "text", *SMALL]
        else:
            (work / "series.csv").write_text("v\n" + "".join(f"{k % 7}\n" for k in range(120)))
            words = ["forecast", "series.csv", "--target", "v", "--window", "12", "--horizon", "3", *SMALL]
        assert cli("train", *words, "--accelerator", "cpu", "--out", task).status == 0

    return make


@pytest.mark.skipif(not NO_GPU, reason="a GPU is there")
@pytest.mark.parametrize("command", [EVALUATE, GENERATE, PREDICT, PLOT, INSPECT], ids=lambda words: words[0])
def test_what_is_not_there_is_refused_and_what_is_there_computes(runs, cli, command):
    runs(command[1])
    refused = cli(*command, "--accelerator", "cuda")
    assert refused.status == 2
    assert "--accelerator cuda: torch" in refused.err
    assert len(refused.err.splitlines()) == 1
    by_itself, told = cli(*command), cli(*command, "--accelerator", "cpu")
    assert (by_itself.status, told.status) == (0, 0)
    assert by_itself.out == told.out


@pytest.mark.skipif(NO_GPU, reason="no GPU")
@pytest.mark.parametrize("command", [EVALUATE, GENERATE, PREDICT, PLOT, INSPECT], ids=lambda words: words[0])
def test_on_a_gpu_as_on_the_cpu(runs, cli, command):
    runs(command[1])
    for accelerator in ("cpu", "cuda"):
        result = cli(*command, "--accelerator", accelerator, "--json")
        assert result.status == 0, result.err


@pytest.mark.skipif(NO_GPU, reason="no GPU")
def test_figures_of_a_gpu_are_those_of_the_cpu(runs, work):
    import ostinato

    runs("lm")
    run = ostinato.load("lm")
    found = []
    for accelerator in ("cpu", "cuda"):
        with run.computing(accelerator) as device:
            assert device.type == accelerator
            found.append(run.evaluate("book.txt")["loss"])
        assert next(run.model.parameters()).device.type == "cpu"
    assert found[1] == pytest.approx(found[0], rel=1e-5)
