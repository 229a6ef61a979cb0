"""Commands for those who work on text2art: `python -m scripts.NAME`."""

import os

from text2art.environment import share_cores

share_cores(os.environ)  # before torch is imported: see there
