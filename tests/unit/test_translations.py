"""Korean pages say what their English originals say: the same code, figures and headings, one word for one thing."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TWINS = list(runpy.run_path(str(ROOT / "scripts" / "translations.py"))["twins"]())
FENCED = re.compile(r"^```.*?^```[ ]*$", re.MULTILINE | re.DOTALL)
#: Words that a Korean page does not have, and the one it has for the same.
OTHERS = {
    "숨겨진 상태": "은닉 상태",
    "숨은 상태": "은닉 상태",
    "그라디언트": "기울기",
    "그래디언트": "기울기",
    "경사 소실": "기울기 소실",
    "경사 폭발": "기울기 폭발",
    "그레이디언트": "기울기",
    "기울기 자르기": "기울기 클리핑",
    "메모리 셀": "기억 셀",
    "잊기 게이트": "망각 게이트",
    "삭제 게이트": "망각 게이트",
    "업데이트 게이트": "갱신 게이트",
    "초기화 게이트": "리셋 게이트",
    "혼잡도": "퍼플렉서티",
    "당혹도": "퍼플렉서티",
    "펄플렉서티": "퍼플렉서티",
    "역전파 통한 시간": "시간 방향 오차역전파",
    "단절된 BPTT": "Truncated BPTT",
    "워드 임베딩": "단어 임베딩",
    "드랍아웃": "드롭아웃",
    "라벨": "레이블",
    "어텐션 메커니즘": "어텐션",
    "주의 메커니즘": "어텐션",
    "러닝 레이트": "학습률",
    "학습율": "학습률",
    "에포크": "에폭",
    "런 폴더": "실행 폴더",
    "토크나이즈": "토큰으로 나누다",
    "스펙트럴": "스펙트럼",
    "노옴": "노름",
    "훈련": "학습",
    "파라미터": "매개변수",
    "레이어": "계층",
    "뉴런": "유닛",
}
GLOSSARY = ROOT / "docs" / "glossary.md"
STRINGS = ROOT / "src" / "ostinato" / "studio" / "page" / "strings"
STRING = re.compile(r'^\s*"?([\w.-]+)"?:\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)
#: Words of the glossary that also have an everyday meaning, or stand for other things in the studio than in the docs:
#: a step of time is a 단계, what the studio lists are trained models, and stacked layers are 층.
EVERYDAY = {"step, update", "run, run folder", "layer", "reset", "backpropagation", "blank"}
following = pytest.mark.parametrize(
    "twin", [pytest.param(twin, id=twin.name) for twin in TWINS if twin.state == "follows"]
)
every = pytest.mark.parametrize("twin", [pytest.param(twin, id=twin.name) for twin in TWINS])


def prose(page: Path) -> str:
    """A page without its code and the addresses of its links."""
    return re.sub(r"\]\([^)]*\)", "]", FENCED.sub("", page.read_text(encoding="utf-8")))


def headings(page: Path) -> list[int]:
    return [len(signs) for signs in re.findall(r"^(#+) ", FENCED.sub("", page.read_text(encoding="utf-8")), re.M)]


def numbers(text: str) -> set[str]:
    """Figures of a text; millions are counted in tens of thousands in Korean."""
    text = re.sub(r"(\d+(?:\.\d+)?) million", lambda found: f"{round(float(found[1]) * 100):,}", text)
    return set(re.findall(r"\d+(?:[.,]\d+)*", text))


def inline_code(text: str) -> set[str]:
    return set(re.findall(r"`[^`]+`", text.replace("\n", " ")))


@every
def test_a_page_follows_its_original_or_says_that_it_does_not(twin):
    known = "follows", "marked as outdated"
    assert twin.state in known, (
        f"{twin.original.name} has changed since {twin.name} was made from it. Whoever writes Korean brings that along "
        f"and runs `python scripts/translations.py --renew {twin.name}`; others run "
        "`python scripts/translations.py --mark`, which puts a note on the Korean page that it is older."
    )


@following
def test_code_is_the_same(twin):
    ours, theirs = (FENCED.findall(page.read_text(encoding="utf-8")) for page in (twin.korean, twin.original))
    assert ours == theirs


@following
def test_headings_pictures_and_figures_are_all_there(twin):
    assert headings(twin.korean) == headings(twin.original)
    ours, theirs = prose(twin.korean), prose(twin.original)
    assert numbers(theirs) <= numbers(ours)
    assert inline_code(theirs) == inline_code(ours)
    assert ours.count("![") == theirs.count("![")


@every
def test_one_word_for_one_thing(twin):
    text = twin.korean.read_text(encoding="utf-8")
    assert not {other: word for other, word in OTHERS.items() if other in text}


def strings(language: str) -> dict[str, str]:
    """The studio's words in a language, by their keys."""
    return {
        key: text for file in (STRINGS / language).glob("*.js") for key, text in STRING.findall(file.read_text("utf-8"))
    }


def terms() -> list[tuple[list[str], list[str]]]:
    """The glossary: English words, and Korean ones of which the last part must occur (설명 of 그림 설명)."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \| .+ \|$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [(re.sub(r" ?\([^)]*\)", "", korean), english) for english, korean in rows if english not in EVERYDAY]
    return [(english.split(", "), [word.split()[-1] for word in korean.split(", ")]) for korean, english in plain]


def test_the_studio_has_the_words_of_the_glossary():
    english, korean = strings("en"), strings("ko")
    assert len(english) > 300
    assert english.keys() == korean.keys()
    missed = [
        (key, words, korean[key])
        for words, theirs in terms()
        for key, text in english.items()
        if re.search(rf"\b({'|'.join(map(re.escape, words))})s?\b", text, re.IGNORECASE)
        and not any(word in korean[key] for word in theirs)
    ]
    assert not missed


def test_the_studio_has_one_word_for_one_thing():
    text = " ".join(strings("ko").values())
    assert not {other: word for other, word in OTHERS.items() if other in text}
