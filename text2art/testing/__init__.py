"""Contract checks for drawers, perceptors, losses and filters, ours and those of other packages.

Each check builds the part on the CPU and raises `ContractBroken`, an `AssertionError` that says
what is wrong, at the first promise it breaks. They need no test runner:

    def test_my_drawer() -> None:
        check_drawer(MyDrawer, MyOptions())
"""

from __future__ import annotations

from text2art.testing.drawers import check_drawer
from text2art.testing.filters import check_filter
from text2art.testing.losses import check_loss
from text2art.testing.perceptors import check_perceptor
from text2art.testing.promise import ContractBroken

__all__ = ["ContractBroken", "check_drawer", "check_filter", "check_loss", "check_perceptor"]
