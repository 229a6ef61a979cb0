"""predict.py for tests of the protocol: of the first pictures it draws one drawer's alone.

Cog's server is given this file in the place of predict.py, whose inputs it has.
"""

from __future__ import annotations

from unittest import mock

import predict
from text2art import registry
from text2art.serving import worker

DRAWERS = tuple(one for one in registry.BUILTIN["drawers"] if one.name == "pixel")


class Predictor(predict.Predictor):
    """Draws pictures from words, and is ready soon."""

    def setup(self) -> None:
        """See `predict.Predictor.setup`."""
        few = mock.Mock(BUILTIN={"drawers": DRAWERS})
        with mock.patch.object(worker, "registry", few):
            super().setup()
