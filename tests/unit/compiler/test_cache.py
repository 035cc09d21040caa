"""The cache of compiled code where something is wrong: no harm, and right numbers."""

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings

import pytest
import torch

import ostinato.cells  # noqa: F401 (registers them)
from ostinato import kernels as implementations
from ostinato.cells.unroll import unroll
from ostinato.compiler import build
from ostinato.compiler.kernel import kernel_of
from ostinato.core.registry import lookup
from ostinato.kernels import compiled, compiled_kernels
from tests.unit.compiler.cells import OneOperation
from tests.unit.compiler.test_compiled import Sample

SOURCE = 'extern "C" __attribute__((visibility("default"))) int answer() {{ return {}; }}\n'
TWO_AT_ONCE = """
import sys
from ostinato.compiler import build
sys.stdin.readline()
made = build.libraries("generic", sys.argv[1:])
print(*[library.handle.answer() for library in made], sum(library.compiled for library in made))
"""


@pytest.fixture
def own_cache(kernels, tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.delenv(build.CACHE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ostinato" / "kernels"


def _answer(number=42):
    """What the compiled function gives, and whether it came from a compiler."""
    started = build.start("generic", SOURCE.format(number))
    library = started.wait() if isinstance(started, build.Job) else started
    return library.handle.answer(), library.compiled


def test_the_second_use_needs_no_compiler(own_cache):
    assert [_answer(), _answer()] == [(42, True), (42, False)]
    assert len(list(own_cache.iterdir())) == 1


def test_an_interrupt_is_not_for_the_compiler(own_cache):
    with build.start("generic", SOURCE.format(42)) as job:
        assert os.getpgid(job._process.pid) != os.getpgid(0)


@pytest.mark.parametrize("damage", ["empty", "short", "half", "changed", "text"])
def test_damaged_code_is_compiled_again(own_cache, damage):
    # Not loaded before: the system would give what this process has already.
    subprocess.run([sys.executable, "-c", TWO_AT_ONCE, SOURCE.format(42)], check=True, input=b"\n", capture_output=True)
    (path,) = own_cache.iterdir()
    whole = path.read_bytes()
    middle = len(whole) // 2
    contents = {
        "empty": b"",
        "short": whole[:-1],
        "half": whole[:middle],
        "changed": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
        "text": b"no code at all",
    }
    path.write_bytes(contents[damage])
    assert [_answer(), _answer()] == [(42, True), (42, False)]
    assert len(path.read_bytes()) == len(whole)


def test_a_folder_that_cannot_be_made(own_cache):
    own_cache.parent.parent.write_text("a file where the folder should be")
    assert [_answer(), _answer()] == [(42, True), (42, True)]


def test_a_full_disk_leaves_nothing_behind(own_cache, monkeypatch):
    made = tempfile.NamedTemporaryFile

    def full(*args, **options):
        file = made(*args, **options)
        file.file.write(b"the first part")

        def write(_):
            raise OSError(errno.ENOSPC, "No space left on device")

        file.write = write
        return file

    monkeypatch.setattr(build.tempfile, "NamedTemporaryFile", full)
    assert [_answer(), _answer()] == [(42, True), (42, True)]
    assert list(own_cache.iterdir()) == []


def test_a_cache_that_can_only_be_read(own_cache, monkeypatch):
    _answer()

    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(build.tempfile, "NamedTemporaryFile", refused)
    assert [_answer(), _answer(43)] == [(42, False), (43, True)]


def test_of_two_processes_at_once_one_compiles(own_cache):
    texts = [SOURCE.format(number) for number in (1, 2)]
    processes = [
        subprocess.Popen([sys.executable, "-c", TWO_AT_ONCE, *texts], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in processes:
        process.stdin.write(b"\n")
        process.stdin.flush()
    told = [process.communicate()[0].split() for process in processes]
    assert sorted(told) == [[b"1", b"2", b"0"], [b"1", b"2", b"2"]]
    assert sorted(path.suffix for path in own_cache.iterdir()) == [".so", ".so"]


@pytest.fixture
def fresh(kernels, library, monkeypatch):
    """Nothing asked for or compiled in this process yet."""
    monkeypatch.setattr(compiled_kernels, "_keys", {})
    monkeypatch.setattr(compiled, "_reasons", {})
    compiled._say_once.cache_clear()
    build.compiler.cache_clear()
    yield
    build.compiler.cache_clear()


def _on_the_reference(reason):
    """Two cells run with right numbers; one line says why they are not compiled."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for hidden_size in (4, 5):
            cell = OneOperation(3, hidden_size)
            _, found = Sample(cell).run(implementations.run, torch.float32)
            _, wanted = Sample(cell).run(unroll, torch.float32)
            assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))
    assert sum(bool(re.search(reason, str(one.message))) for one in told) == 1


@pytest.mark.parametrize("name", ["lstm", "lstm_layer_norm"])
@pytest.mark.slow
def test_clang(fresh, own_cache, monkeypatch, name):
    found = filter(shutil.which, ["clang++", *(f"clang++-{version}" for version in range(11, 30))])
    monkeypatch.setenv(build.COMPILER_VARIABLE, next(found, None) or pytest.skip("no Clang"))
    Sample(lookup(name)(19, 37), ragged=True).compare()
    assert len(list(own_cache.iterdir())) == 2


@pytest.fixture
def ziglang_alone(fresh, monkeypatch):
    """No compiler but that of the extra."""
    pytest.importorskip("ziglang")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv(build.COMPILER_VARIABLE, raising=False)


def test_ziglang_is_found_and_named(ziglang_alone):
    found = build.compiler()
    assert found.version.startswith("ziglang, clang version")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lstm", "lstm_layer_norm"])
def test_ziglang(ziglang_alone, monkeypatch, tmp_path, name):
    monkeypatch.setenv(build.CACHE_VARIABLE, str(tmp_path))  # Zig's own cache stays, which takes half a minute to fill
    Sample(lookup(name)(19, 37), ragged=True).compare()
    assert len(list(tmp_path.iterdir())) == 2


def test_without_a_compiler(fresh, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv(build.COMPILER_VARIABLE, raising=False)
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    _on_the_reference("no C\\+\\+ compiler")


def test_a_compiler_that_fails(fresh, monkeypatch, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && echo broken 1.0 && exit 0\necho it broke; exit 1\n')
    broken.chmod(0o755)
    monkeypatch.setenv(build.COMPILER_VARIABLE, str(broken))
    _on_the_reference("it broke")


def test_where_one_direction_fails_the_other_is_waited_for(own_cache, library, monkeypatch, tmp_path):
    slow, ended, made = tmp_path / "slow", tmp_path / "ended", tmp_path / "made"
    made.mkdir()
    slow.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo slow 1.0 && exit 0\nfor argument; do case "$argument" in *.cpp)\n'
        f'grep -q backward_ "$argument" && sleep 1 && touch "{ended}"; exit 1;; esac; done\n'
    )
    slow.chmod(0o755)
    monkeypatch.setenv(build.COMPILER_VARIABLE, str(slow))
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    build.compiler.cache_clear()
    try:
        with pytest.raises(build.NoCompilerError, match="the compiler failed"):
            kernel_of(OneOperation(3, 4), library.isa).compile()
    finally:
        build.compiler.cache_clear()
    assert ended.exists()
    assert not list(made.iterdir())


def test_nowhere_to_compile(fresh, own_cache, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", os.devnull)
    _on_the_reference("nowhere to compile")
