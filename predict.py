"""The container's entry point: Cog's inputs on one side, `text2art.serving` on the other.

Run it in its container with `cog predict -i prompts="a red apple"`, or without one with
`text2art serve`. Both names that Cog knows work as a reference: `predict.py:Predictor`, which every
version and every host of Cog understands, and `predict.py:Runner`, the newer spelling. The class
follows the older interface (`BasePredictor` and `predict`), since Cog accepts one of the two methods
only; cog 0.20 and later say that it is deprecated and run it all the same.
"""

# ruff: noqa: B008, E501, UP035, UP045
# Cog reads this file without running it: it wants the calls of Input() as defaults, every text in
# one piece, and the names of typing.

from contextlib import closing
from pathlib import Path as LocalPath
from typing import Iterator, Optional

from cog import BasePredictor, Input, Path, streaming  # type: ignore[import-untyped]

from text2art.errors import OutputError
from text2art.serving import schema
from text2art.serving.worker import Worker


class Predictor(BasePredictor):  # type: ignore[misc]
    """Draws pictures from words."""

    def setup(self) -> None:
        """Load the models on the best device and draw a first tiny picture with each drawer."""
        # `cog build` puts the schema into the image; where nobody did, the server would check no
        # input and refuse to stream. It looks for the file after this method.
        try:
            schema.provide(LocalPath.cwd(), LocalPath(__file__))
        except OutputError as error:
            say(f"no input will be checked: {error}")
        self.worker = Worker(say)

    @streaming  # type: ignore[untyped-decorator]
    def predict(
        self,
        # inputs: written by `python -m scripts.generate` from text2art.settings
        prompts: str = Input(
            description="What to draw. Several prompts are separated by |, each may end in :weight or :weight:stop; a negative weight pushes away; @https://... names a picture to resemble.",
        ),
        styles: str = Input(
            default="",
            description="Styles whose words follow every prompt, as pixelart,low-poly; with a weight, as neon:0.5, a style is a prompt of its own. 'text2art styles' lists them.",
        ),
        drawer: str = Input(
            default="pyramid",
            choices=["pixel", "pyramid", "fft", "vqgan", "clipdraw", "line", "shapes"],
            description="How the picture is made up.",
        ),
        quality: str = Input(
            default="normal",
            choices=[
                "draft",
                "normal",
                "better",
                "best",
                "supreme",
                "clipit-draft",
                "clipit-normal",
                "clipit-better",
                "clipit-best",
            ],
            description="Preset of iterations, size and views: patience for quality. Those of clipit are its own.",
        ),
        aspect: str = Input(
            default="square",
            description="square, portrait, widescreen, retain (as the init image) or W:H.",
        ),
        size: str = Input(
            default="",
            description="Exact size in pixels as WIDTHxHEIGHT; overrides aspect and scale.",
        ),
        iterations: Optional[int] = Input(
            default=None,
            ge=1,
            le=10000,
            description="Optimizer steps; default: the quality's.",
        ),
        display_every: int = Input(
            default=20,
            ge=0,
            description="Show or yield an intermediate picture every so many steps; 0 = none.",
        ),
        seed: Optional[int] = Input(
            default=None,
            ge=0,
            le=2147483647,
            description="Same seed, same picture. Leave out for a new one; words go into settings as 'seed: x'.",
        ),
        init_image: Optional[Path] = Input(
            default=None,
            description="Picture to start from: an upload or an http(s) URL.",
            accept="image/*",
        ),
        protect: Optional[Path] = Input(
            default=None,
            description="Mask, an upload or an http(s) URL: where it is white, init_image stays untouched.",
            accept="image/*",
        ),
        palette: str = Input(
            default="",
            description="Colors to use: a palette's name (PICO-8), a list (#1a1c2c,red), a ramp (black->gold), a file by its address (@https://...); several are joined by semicolons.",
        ),
        make_video: bool = Input(
            default=False,
            description="Also make a video of the making.",
        ),
        output_format: str = Input(
            default="png",
            choices=["png", "webp", "jpg", "svg"],
            description="Format of the picture; svg is for drawers made of shapes.",
        ),
        settings: str = Input(
            default="",
            description="Any further settings as YAML, for example 'cuts: 40' or 'pixel: {cells: 32x32}'. Inputs that differ from their default win over it.",
        ),
        # end of the inputs
    ) -> Iterator[Path]:
        """Draw: yield intermediate pictures, then the video if one is wanted, the result last."""
        inputs = {name: value for name, value in locals().items() if name != "self"}
        with closing(self.worker.draw(inputs, self.record_metric)) as files:
            for file in files:
                yield Path(file)

    def healthcheck(self) -> bool:
        """Say whether the device still computes."""
        return self.worker.works()


class Runner(Predictor):
    """The predictor under Cog's newer name."""


def say(line: str) -> None:
    """Print a line to the logs of the prediction, at once."""
    print(line, flush=True)
