"""What the documentation names is there: links, files, and names of the code."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ray_jobs/README.md")),
    *(ROOT / "cluster").glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FILE = re.compile(r"[\w.{},/-]+\.(?:py|yaml|toml|cfg|jinja)")
ENDINGS = (".py", ".yaml", ".cfg", ".toml", ".js", ".jinja", "Makefile")
WORD = re.compile(r"[A-Za-z_]\w+")
# Not ours: an option of NFS mounts, a function of Qiskit, a part of a task drawn on paper.
OTHERS = {"local_lock", "loads_experimental", "success_probability"}


@cache
def files() -> tuple[str, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("no git here to list the files")
    return tuple(listed.stdout.split())


@cache
def words() -> frozenset[str]:
    """The words of the code, the presets and the manifests, and the names of files."""
    found = {Path(name).stem for name in files()}
    for name in files():
        if name.endswith(ENDINGS) and not name.startswith("tests/"):
            text = (ROOT / name).read_text("utf-8")
            found.update(re.findall(r"\w+", text))
    found |= {f"{word}_total" for word in found}  # as Prometheus calls a counter
    return frozenset(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page):
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    missing = {
        link
        for link in LINK.findall(text)
        if "://" not in link and not (page.parent / link).exists()
    }
    for code in CODE.findall(text):
        missing |= {
            file
            for file in FILE.findall(code)
            if "/" in file
            and "{" not in file
            and not any(f"/{known}".endswith(f"/{file}") for known in files())
        }
        missing |= {word for word in WORD.findall(code) if "_" in word and word not in words()}
    assert not missing - OTHERS
