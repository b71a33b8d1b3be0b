"""The notebooks run, and say what they say in the repository."""

import re
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from tests.support.machine import scaled

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
NUMBER = re.compile(r"-?\d+\.\d*|-?\d+")


class OwnKernel(AsyncKernelManager):
    """A kernel of this interpreter, whatever kernels the machine has."""

    @property
    def kernel_spec(self) -> KernelSpec:
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, language="python", display_name="own")


def printed(notebook) -> list[str]:
    """What each cell of code prints."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return ["".join(out.get("text", "") for out in cell.outputs) for cell in cells]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_does_what_it_shows(path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    shown = printed(notebook)
    assert any(shown)
    client = NotebookClient(notebook, timeout=int(scaled(60)), kernel_manager_class=OwnKernel)
    client.execute()
    for before, now in zip(shown, printed(notebook), strict=True):
        assert NUMBER.sub("#", before) == NUMBER.sub("#", now)
        figures = [[float(text) for text in NUMBER.findall(part)] for part in (before, now)]
        assert figures[1] == pytest.approx(figures[0], abs=0.05)


def test_both_are_there():
    assert [path.stem for path in NOTEBOOKS] == ["group_relative", "verify"]
