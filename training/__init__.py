"""Make the starter perceptor: draw captioned pictures, train a small CLIP, evaluate, export."""

import os

from text2art.environment import share_cores

share_cores(os.environ)  # before torch is imported: see there
