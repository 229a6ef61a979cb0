"""docs/notebook.ipynb runs as it stands, in a real kernel; the picture is shown as it forms."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from text2art.notebook import Screen, in_notebook

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def execute(notebook: Any, folder: Path) -> Any:
    """Run every cell in a kernel whose working folder is `folder`."""
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return client.execute()


def pictures(cell: Any) -> list[Image.Image]:
    """Return the PNG pictures among a cell's outputs."""
    found = [out.get("data", {}).get("image/png") for out in cell.outputs]
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in found if text]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client")
def test_the_notebook_of_the_docs_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)  # none are committed
    done = execute(notebook, tmp_path)
    codes = [cell for cell in done.cells if cell.cell_type == "code"]
    assert pictures(codes[0])[0].size == (96, 96)
    assert (tmp_path / "output.png").exists()
    kinds = [set(out.get("data", {})) for out in codes[2].outputs]
    assert any("application/vnd.jupyter.widget-view+json" in kind for kind in kinds)
    assert len(pictures(codes[-1])) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client")
def test_without_widgets_a_picture_is_replaced(tmp_path: Path) -> None:
    source = (
        "import sys; sys.modules['ipywidgets'] = None\n"
        "from PIL import Image\n"
        "from text2art.notebook import Screen\n"
        "screen = Screen()\n"
        "for step, color in enumerate(['red', 'green', 'blue']):\n"
        "    screen.show(Image.new('RGB', (8, 8), color), step, 3)\n"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    done = execute(notebook, tmp_path)
    shown = pictures(done.cells[0])
    assert [picture.convert("RGB").getpixel((0, 0)) for picture in shown] == [(0, 0, 255)]


def test_elsewhere_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert not in_notebook()
    Screen().show(Image.new("RGB", (8, 8)), 1, 2)
    assert capsys.readouterr().out == ""
