"""The metadata of a wheel, and the Dockerfiles' linter."""

import os
import re
import shutil
import subprocess
import sys
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE", "quasar/__init__.py")
BUILD = "from setuptools import build_meta; build_meta.prepare_metadata_for_build_wheel('made')"


def metadata(place: Path, repository: str | None):
    """As a wheel of the README and the settings would have it."""
    for name in FILES:
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    (place / "made").mkdir()
    variables = {k: v for k, v in os.environ.items() if k != "QUASAR_REPOSITORY"}
    if repository is not None:
        variables["QUASAR_REPOSITORY"] = repository
    done = subprocess.run(
        [sys.executable, "-c", BUILD], cwd=place, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (found,) = place.glob("made/*.dist-info/METADATA")
    return message_from_string(found.read_text("utf-8"))


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", text)


@pytest.mark.parametrize("repository", ["https://code.example/quasar/", None])
def test_what_an_index_shows_of_the_package(tmp_path, repository):
    found = metadata(tmp_path, repository)
    assert found["Name"] == "quasar-rl"
    assert found["Author"]
    assert found["License"] == "Apache-2.0"
    assert found["Description-Content-Type"] == "text/markdown"
    addresses = dict(line.split(", ", 1) for line in found.get_all("Project-URL"))
    assert addresses["Paper"].startswith("https://arxiv.org/")
    body = found.get_payload()
    assert "A language model learns to write OpenQASM 3 circuits" in body
    assert all(link.startswith(("https://", "#")) for link in links(body)), links(body)
    image = "https://code.example/quasar/raw/HEAD/docs/main_job.svg"
    assert (image in body) == (repository is not None)
    assert ("Source" in addresses) == (repository is not None)


def test_the_links_of_the_readme_are_files():
    for link in links((ROOT / "README.md").read_text("utf-8")):
        if not link.startswith(("http", "#")):
            assert (ROOT / link.split("#")[0]).exists(), link


def test_the_dockerfiles_pass_their_linter(tmp_path):
    hadolint = Path(sys.executable).with_name("hadolint")
    files = sorted((ROOT / "cluster").glob("Dockerfile.*"))
    assert len(files) == 2
    done = subprocess.run([hadolint, *files], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    wrong = tmp_path / "Dockerfile"
    wrong.write_text("FROM debian\nRUN cd /tmp\n")
    assert subprocess.run([hadolint, wrong], capture_output=True).returncode == 1
