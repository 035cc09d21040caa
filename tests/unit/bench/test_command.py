import pytest

from ostinato.bench import layers
from ostinato.config.bench import BenchLayers
from ostinato.core.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"only": ("lstn",)}, "--only lstn: no such group"),
        ({"rows": ("N1",)}, "expected sizes"),
        ({"peers": ("tensorflow",)}, "--peers tensorflow: no such peer; there are float32, jax, loop"),
        ({"threads": (4096,)}, "--threads 4096: expected at most"),
        ({"threads": (0,)}, "--threads: expected at least 1"),
        ({"seconds": 0.0}, "--seconds: expected more than 0"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, says):
    with pytest.raises(ConfigError, match=says):
        layers.measure(BenchLayers(**options), lambda event: None)


@pytest.mark.slow
def test_a_forced_instruction_set_has_a_process_of_its_own(library):
    if "avx2" not in library.supported:
        pytest.skip("this machine has no AVX2")
    events = []
    options = BenchLayers(only=("rnn", "lstm-avx2"), rows=("N2T3H4",), peers=("torch",), threads=(1,), seconds=0.001)
    result = layers.measure(options, events.append)
    assert [table["isa"] for table in result["tables"]][1] == "avx2"
    assert [event["event"] for event in events] == ["progress", "group", "so far"] * 2
    assert [event["done"] for event in events if event["event"] == "progress"] == [1, 2]


@pytest.mark.slow
def test_a_process_that_breaks_is_not_passed_over(library, monkeypatch):
    monkeypatch.setenv("OSTINATO_ISA", "none-such")
    options = BenchLayers(only=("rnn",), rows=("N2T3H4",), threads=(1,), seconds=0.001)
    with pytest.raises(RuntimeError, match="ended with status 1"):
        layers.measure(options, lambda event: None)
