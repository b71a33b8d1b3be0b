"""The code blocks of the documentation: what each says of itself, and what should come out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_OTHERS = ("README.md", "CONTRIBUTING.md", "cluster/README.md", "ray_jobs/README.md")
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<kind>bash|python)\n(?P<code>.*?)^```\n"
    r"(?:\n```text\n(?P<output>.*?)^```)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """mark: what the comment above says. output: what should come out, None where unsaid."""

    page: str
    line: int
    mark: str
    kind: str
    code: str
    output: str | None

    @property
    def runs(self) -> bool:
        return re.fullmatch(r"run(: exit \d)?", self.mark) is not None

    @property
    def exit_code(self) -> int:
        return int(self.mark[-1]) if self.mark[-1].isdigit() else 0

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    found = (ROOT / "docs").rglob("*.md")
    return sorted([*_OTHERS, *(path.relative_to(ROOT).as_posix() for path in found)])


def blocks(page: str) -> Iterator[Block]:
    text = (ROOT / page).read_text("utf-8")
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("code"))
        mark = " ".join((found["mark"] or "").split())
        yield Block(page, line, mark, found["kind"], found["code"], found["output"])


def matches(expected: str, output: str) -> bool:
    """Word by word, whatever the space and the lines of tables; `…` is anything."""
    words = " ".join(re.sub(r"[─━│]", " ", expected).split())
    given = " ".join(re.sub(r"[─━│]", " ", output).split())
    pattern = ".*?".join(re.escape(part.strip()) for part in words.split("…"))
    return re.search(pattern, given, re.DOTALL) is not None
