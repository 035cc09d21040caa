"""Korean beside English: a page.ko.md follows its page.md, and what has no twin stays where it is, in English.

mkdocs-static-i18n builds the site once a language. Left alone it would copy each page without a twin into the Korean
site, the reference of the whole package included. Here such a page is borrowed: it is in the Korean navigation, but is
built once, and links lead to the English one.
"""

import re
from pathlib import Path

from markdown.extensions.toc import slugify
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import CombinedEvent, event_priority
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

OUTDATED = (
    '!!! warning "이 문서는 영어 원문보다 오래되었습니다"\n'
    '    번역한 뒤에 원문이 바뀌었습니다. 명령과 숫자는 <a href="{original}">영어 문서</a>를 따르십시오.\n'
)
ORIGINAL = re.compile(r"\.ko\.md$")
ALTERNATE = re.compile(r'<link rel="alternate"[^>]* hreflang="[^>]*>')
#: Titles of the English pages, as they were built.
titles: dict[str, str] = {}
#: What other hooks made in this build.
generated: list[File] = []


def language(config: MkDocsConfig) -> str:
    """The language that is being built: mkdocs runs once for each, English first."""
    return config.plugins["i18n"].current_language


def borrowed(file: File, config: MkDocsConfig) -> bool:
    """Whether a page of this build is of another language."""
    return file.is_documentation_page() and file.locale != language(config)


@event_priority(-50)  # before i18n, which knows only files of the disk
def _keep_generated(files: Files, config: MkDocsConfig) -> Files:
    generated[:] = [file for file in files if file.generated_by]
    for file in generated:
        files.remove(file)
    return files


@event_priority(-200)  # after i18n has chosen a file for each page
def _borrow(files: Files, config: MkDocsConfig) -> Files:
    """Bring back what was generated, which is English, and put borrowed pages back to their own place."""
    for file in generated:
        file.locale, file.locale_alternate_of, file.alternates = "en", "en", {"en": file}
        files.append(file)
    for file in files:
        if borrowed(file, config):
            file.dest_uri = file.dest_uri.removeprefix(f"{language(config)}/")
            file.url = file.dest_uri
            file.inclusion = InclusionLevel.EXCLUDED
    return files


on_files = CombinedEvent(_keep_generated, _borrow)


@event_priority(-200)
def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Call borrowed pages by the titles they were built with."""
    for page in nav.pages:
        if borrowed(page.file, config):
            page.title = titles[page.file.src_uri]
    return nav


@event_priority(50)  # before others: the comment at the head is no part of the page
def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Give a translated page's headings the names of the original's, so that links hold in each language; and say at
    the head of a page whose original has gone on that it has."""
    original = ORIGINAL.sub(".md", page.file.abs_src_path or "")
    if original == (page.file.abs_src_path or ""):
        return markdown
    outdated = re.search(r"^<!-- follows: \w+, outdated -->", markdown, re.MULTILINE)  # by scripts/translations.py
    markdown = re.sub(r"^<!-- follows: .*-->\n+", "", markdown, count=1, flags=re.MULTILINE)
    named = headings(Path(original).read_text(encoding="utf-8"))
    lines = markdown.splitlines()
    for (at, _), (_, name) in zip(headings(markdown), named, strict=False):
        lines[at] += f" {{#{slugify(name, '-')}}}"
    if outdated:
        lines.insert(0, OUTDATED.format(original=page.file.alternates["en"].url_relative_to(page.file)))
    return "\n".join(lines)


def headings(markdown: str) -> list[tuple[int, str]]:
    """Each heading's line, from 0, and its text; comments in code are none."""
    found, in_code = [], False
    for at, line in enumerate(markdown.splitlines()):
        in_code ^= line.startswith("```")
        if not in_code and (heading := re.match(r"#+ (.*)", line)):
            found.append((at, re.sub(r"`|\[|\]\(.*?\)", "", heading[1])))
    return found


def on_env(env, config: MkDocsConfig, files: Files):
    """Remember the titles."""
    titles.update({file.src_uri: file.page.title for file in files.documentation_pages() if file.page})
    return env


@event_priority(-200)  # after i18n has written its own links
def on_page_context(context, page: Page, config: MkDocsConfig, nav: Navigation):
    """Let the language switch lead to the page's twin, or to the other language's first page where it has none; by
    relative links, so that the site can lie anywhere, on a disk too."""
    switch = [dict(one) for one in config.extra["alternate"]]
    for one in switch:
        twin = page.file.alternates.get(one["lang"])
        home = "index.html" if one["lang"] == "en" else f"{one['lang']}/index.html"
        one["link"] = twin.url if twin and twin.locale == one["lang"] else home
    config.extra.alternate = switch  # an attribute, as i18n sets: templates see it before the key
    return context


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Take out what the theme's script looks for a map of the other language's site by: there is none beside each page,
    and the switch leads to the twin without one."""
    return ALTERNATE.sub("", output)


def on_post_template(output_content: str, template_name: str, config: MkDocsConfig) -> str:
    """The same of the page for what is not found."""
    return ALTERNATE.sub("", output_content)


@event_priority(-200)  # after i18n has put the languages' indices together
def on_post_build(config: MkDocsConfig) -> None:
    """Write the search's index as a script too: a page on the disk may load scripts, and no JSON."""
    index = Path(config.site_dir) / "search" / "search_index.json"
    index.with_suffix(".js").write_text(f"var __index = {index.read_text(encoding='utf-8')}", encoding="utf-8")
