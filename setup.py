"""What setup.cfg cannot say: the description and the addresses of a distribution.

A package index shows the README away from its directory, where relative links and images lead
nowhere. Who builds a release names the place of its sources, `QUASAR_REPOSITORY=https://…`; the
links then lead there, and the metadata names it. Without it links keep their text alone.
"""

import os
import re
from pathlib import Path

from setuptools import setup

# ![text](target) or [text](target), where the target is neither an address nor a place in the page
RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s]+)\)")


def description(text: str, repository: str) -> str:
    """The README with links that lead somewhere from anywhere."""

    def absolute(link: re.Match) -> str:
        image, words, target = link.groups()
        if not repository:
            return f"*{words}*" if image else words
        return f"{image}[{words}]({repository}/{'raw' if image else 'blob'}/HEAD/{target})"

    return RELATIVE.sub(absolute, text)


def addresses(repository: str) -> dict[str, str]:
    """By label, as an index shows them."""
    known = {"Paper": "https://arxiv.org/abs/2510.00967"}
    if repository:
        known |= {
            "Source": repository,
            "Documentation": f"{repository}/blob/HEAD/docs/index.md",
            "Changelog": f"{repository}/blob/HEAD/CHANGELOG.md",
            "Issues": f"{repository}/issues",
        }
    return known


if __name__ == "__main__":
    place = os.environ.get("QUASAR_REPOSITORY", "").rstrip("/")
    readme = Path(__file__).with_name("README.md").read_text("utf-8")
    setup(long_description=description(readme, place), project_urls=addresses(place))
