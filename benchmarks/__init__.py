"""Speed, memory and quality: scripts that print tables, never timed tests."""

import os

from text2art.environment import share_cores

share_cores(os.environ)  # before torch is imported: see there
