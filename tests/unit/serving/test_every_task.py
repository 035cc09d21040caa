"""Runs of every task over HTTP: inputs as JSON, files of their own kinds, pictures; each as `predict` answers it."""

import base64
import json

import pytest

import ostinato
from tests.end_to_end.studio.data import levels, pictures, shop, train_small, waves
from tests.unit.serving.conftest import served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("every")
    train_small(folder)
    return folder / "runs"


@pytest.fixture(scope="module")
def client(small):
    with (
        served(sorted(path for path in small.iterdir() if path.is_dir())) as (address, _),
        ostinato.Client(address) as it,
    ):
        yield it


FILES = {
    "waves": ("ts", waves),
    "levels": ("csv", levels),
    "sums": ("txt", lambda: "3+4\n12+9\n"),
    "shop": ("csv", shop),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_their_own_kinds(client, small, tmp_path, name):
    ending, content = FILES[name]
    file = tmp_path / f"asked.{ending}"
    file.write_text(content(), encoding="utf-8")
    found = client.answer_file(name, file)
    expected = list(ostinato.load(small / name).answers(str(file)))
    assert found == json.loads(json.dumps([one._asdict() if hasattr(one, "_asdict") else one for one in expected]))
    assert found


def test_pictures(client, small, tmp_path):
    """As base64, one or several, and as files, PNG and JPEG; what is no picture is said by its number."""
    image = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    run, made = ostinato.load(small / "squares"), pictures()[:3]
    for name, content, _ in made:
        (tmp_path / name).write_bytes(content)
    expected = run.seeing(images=tmp_path).predict([name for name, _, _ in made])
    asked = [base64.b64encode(content).decode() for _, content, _ in made]
    plain = [one._asdict() if hasattr(one, "_asdict") else one for one in expected]
    assert [_said(one) for one in client.answer("squares", asked)] == [_said(one) for one in plain]
    assert _said(client.answer_file("squares", tmp_path / made[0][0])[0]) == _said(plain[0])
    jpeg = tmp_path / "one.jpg"
    image.open(tmp_path / made[0][0]).convert("RGB").save(jpeg, quality=95)
    assert isinstance(_said(client.answer_file("squares", jpeg)[0]), str)
    damaged = base64.b64encode(b"no picture").decode()
    assert [_said(one) for one in client.answer("squares", [damaged, asked[1]])] == ["", _said(plain[1])]
    with pytest.raises(ostinato.OstinatoError, match=r"422.*inputs\[0\]"):
        client.answer("squares", ["no base64!"])
    with pytest.raises(ostinato.OstinatoError, match="422"):
        client.answer("squares", ["/etc/passwd"])


def _said(answer):
    """The caption of an answer, which says the picture's name besides."""
    return answer["caption"] if isinstance(answer, dict) else answer


def test_options_of_predict(client, small):
    run = ostinato.load(small / "sums")
    assert client.answer("sums", ["3+4", "12+9"], beam=4) == run.predict(["3+4", "12+9"], beam=4)
    with pytest.raises(ostinato.OstinatoError, match="there is no 'bean'"):
        client.answer("sums", ["3+4"], bean=4)


def test_what_takes_no_steps_says_so(client):
    with pytest.raises(ostinato.OstinatoError, match="does not take steps"), client.steps("sums") as it:
        it.push("3")
    assert not client.run("levels")["streams"]
    with pytest.raises(ostinato.OstinatoError, match="reads both ways"), client.steps("levels") as it:
        it.push([0.5, 0.1])
