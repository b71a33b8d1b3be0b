"""What MkDocs is told beside mkdocs.yml: pages that are generated, and links out of docs/.

Files of the repository that a page links to (`../README.md`, an example, a module) become pages of
the site, so that nothing leads out of it. Comments that say why a command is not run by the tests
are shown to the reader.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from references import REFERENCES

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"^<!-- not run: (.*?) -->\n", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"^<!-- run -->\n", re.MULTILINE)
LANGUAGES = {".py": "python", ".yaml": "yaml", ".sh": "bash", ".cfg": "ini", ".toml": "toml"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the references, and the pages of what is linked to outside of docs/."""
    for name, write in REFERENCES.items():
        files.append(File.generated(config, f"reference/{name}.md", content=write()))
    waiting = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    seen = set(waiting)
    while waiting:
        source = waiting.pop()
        if not (ROOT / source).is_file():  # generated
            continue
        for target in sorted(outside(source, (ROOT / source).read_text("utf-8"))):
            if target not in seen:
                seen.add(target)
                waiting += [target] if target.endswith(".md") else []
                files.append(File.generated(config, page_of(target), content=content_of(target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links lead to pages of the site; what the tests do not run says so."""
    uri = page.file.src_uri
    source = uri.removeprefix("repository/").removesuffix(".page.md")
    source = source if uri.startswith("repository/") else f"docs/{uri}"

    def moved(link: re.Match) -> str:
        words, target, anchor = link.groups()
        place = resolved(source, target)
        if place is None or (place.startswith("docs/") and source.startswith("docs/")):
            return link.group(0)
        new = posixpath.relpath(page_of(place), posixpath.dirname(uri) or ".")
        return f"[{words}]({new}{anchor or ''})"

    markdown = _beside_code(markdown, lambda text: LINK.sub(moved, text))
    markdown = RUN.sub("", markdown)
    return NOT_RUN.sub(lambda m: f"*Not run by the tests: {' '.join(m[1].split())}.*\n\n", markdown)


def outside(source: str, text: str) -> set[str]:
    """Files of the repository, not in docs/, that a file links to."""
    plain = FENCED.sub("", text)
    places = (resolved(source, link.group(2)) for link in LINK.finditer(plain))
    return {place for place in places if place and not place.startswith("docs/")}


def resolved(source: str, target: str) -> str | None:
    """The path of a link's file from the root; of a directory, its README or first module."""
    place = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    path = ROOT / place
    if path.is_dir():
        found = [*path.glob("README.md"), *sorted(path.glob("*.py"))]
        return found[0].relative_to(ROOT).as_posix() if found else None
    return place if path.is_file() else None


def page_of(place: str) -> str:
    """Where a file of the repository stands in the site."""
    if place.startswith("docs/"):
        return place.removeprefix("docs/")
    return f"repository/{place if place.endswith('.md') else f'{place}.page.md'}"


def content_of(place: str) -> str:
    text = (ROOT / place).read_text("utf-8")
    if place.endswith(".md"):
        return text
    language = LANGUAGES.get(Path(place).suffix, "text")
    return f"# {place}\n\n````{language}\n{text}\n````\n"


def _beside_code(markdown: str, change) -> str:
    """Apply a change to all but fenced code."""
    parts, end = [], 0
    for block in FENCED.finditer(markdown):
        parts += [change(markdown[end : block.start()]), block.group(0)]
        end = block.end()
    return "".join([*parts, change(markdown[end:])])
