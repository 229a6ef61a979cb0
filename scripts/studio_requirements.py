"""Print what the studio's web process needs of pyproject.toml, without what only drawing needs.

python scripts/studio_requirements.py pyproject.toml > requirements.txt
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXTRAS = ("studio", "postgres")
ONLY_TO_DRAW = frozenset({"numba", "open-clip-torch", "safetensors", "torch", "torchvision"})


def requirements(project: dict[str, Any]) -> list[str]:
    """Return the requirements of the package and the studio's extras, sorted."""
    optional = project["optional-dependencies"]
    listed = list(project["dependencies"])
    for extra in EXTRAS:
        listed += optional[extra]
    names = {text: re.split(r"[^A-Za-z0-9._-]", text)[0].lower() for text in listed}
    unwanted = {*ONLY_TO_DRAW, "text2art"}  # text2art[serve] is the server in the containers
    return sorted(text for text, name in names.items() if name not in unwanted)


def read(pyproject: Path) -> dict[str, Any]:
    """Return the table `project`."""
    found: dict[str, Any] = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    return found


def main() -> None:
    """Print them, one a line."""
    sys.stdout.write("\n".join(requirements(read(Path(sys.argv[1])))) + "\n")


if __name__ == "__main__":
    main()
