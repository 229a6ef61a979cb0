"""Weights of the real size in the real formats, drawn with on the command line."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from tests.cli_tools import PROGRAM
from tests.tools import full_size
from text2art.media.png import read_record
from text2art.nets.vqgan import Vqgan
from text2art.weights.safe import read_state_dict

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("full-size")
    return full_size.write_vqgan(folder), full_size.write_clip(folder)


def test_they_are_what_is_published(files: tuple[Path, Path]) -> None:
    checkpoint, archive = files
    assert yaml.safe_load(checkpoint.with_suffix(".yaml").read_text()) == full_size.TAMING
    with zipfile.ZipFile(checkpoint) as opened:
        (pickled,) = [name for name in opened.namelist() if name.endswith("/data.pkl")]
        assert full_size.LIGHTNING.encode() in opened.read(pickled)
    assert full_size.LIGHTNING not in sys.modules
    with pytest.raises(Exception, match="ModelCheckpoint"):
        torch.load(checkpoint, weights_only=True)  # torch's restricted reader takes it for code
    state = read_state_dict(checkpoint)
    with torch.device("meta"):
        wanted = Vqgan(full_size.config()).state_dict()
    assert {k: state[k].shape for k in wanted} == {k: t.shape for k, t in wanted.items()}
    assert all(name.startswith("loss.") for name in set(state) - set(wanted))
    # OpenAI's file has 353976522 bytes, of which some hundred thousand are its program.
    assert abs(archive.stat().st_size - 353_976_522) < 1_000_000


def test_both_draw_from_the_command_line(files: tuple[Path, Path], tmp_path: Path) -> None:
    checkpoint, archive = files
    words = [
        "draw", "an underwater city", "--drawer", "vqgan", "--vqgan.model", str(checkpoint),
        "--perceptor", f"ViT-B-32@{archive}", "--size", "128x128", "--iterations", "2",
        "--cuts", "4", "--starts", "1", "--seed", "1", "--out", "a.png",
    ]  # fmt: skip
    drawn = subprocess.run(
        [*PROGRAM, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert drawn.returncode == 0, drawn.stderr
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (128, 128)
        colors = picture.convert("RGB").getcolors(128 * 128)
    assert colors is not None
    assert len(colors) > 1000  # neither black nor flat: the scales are sane
    record = read_record(tmp_path / "a.png")
    assert record["settings"]["vqgan"]["model"] == str(checkpoint)
    (perceptor,) = record["perceptors"]
    assert perceptor["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
