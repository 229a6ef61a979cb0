"""clipit's calls, as the seeds of this project used them.

    from text2art import clipit

    clipit.reset_settings()
    clipit.add_settings(prompts="Underwater City", use_pixeldraw=True, iterations=100)
    settings = clipit.apply_settings()
    clipit.do_init(settings)
    clipit.do_run(settings)

Sizes and presets are clipit's; every setting of clipit and pixray is understood (docs/migration.md)
and so is every one of ours.
"""

from __future__ import annotations

from text2art.ancestors.calls import Calls
from text2art.ancestors.dialect import CLIPIT

_calls = Calls(CLIPIT)

add_custom_loss = _calls.add_custom_loss
add_settings = _calls.add_settings
apply_settings = _calls.apply_settings
do_init = _calls.do_init
do_run = _calls.do_run
get_settings = _calls.get_settings
reset_settings = _calls.reset_settings
run = _calls.run

__all__ = [
    "add_custom_loss",
    "add_settings",
    "apply_settings",
    "do_init",
    "do_run",
    "get_settings",
    "reset_settings",
    "run",
]
