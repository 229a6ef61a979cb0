"""A job's settings as the inputs of a Cog container."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from text2art.serving.render import PICTURES
from text2art.studio import intake
from text2art.studio.model import Json
from text2art.studio.worker.runner import JobFailed, Task


def inputs_of(task: Task) -> Json:
    """Return the inputs: pictures of the studio as data URLs, all else as YAML in `settings`.

    Raises:
        JobFailed: a picture of the studio is named where a container takes no upload.
    """
    settings = dict(task.settings)
    if task.parent:
        settings["init_image"] = task.parent
    inputs: Json = {"prompts": ""}
    for name in PICTURES:
        given = settings.pop(name, None)
        if given:
            keys = intake.keys_of({name: given})
            inputs[name] = _data_url(task.folder / given) if keys else given
    if intake.keys_of(settings):
        raise JobFailed(
            "uploaded pictures in prompts and palettes cannot be sent to the containers that draw "
            "here: only init_image and protect can"
        )
    return {**inputs, "settings": json.dumps(settings, ensure_ascii=False)}


def _data_url(path: Path) -> str:
    kind = {".jpg": "jpeg"}.get(path.suffix, path.suffix.lstrip("."))
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
