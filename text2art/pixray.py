"""pixray's calls.

    from text2art import pixray

    pixray.reset_settings()
    pixray.add_settings(prompts="Underwater City", drawer="pixel", iterations=100)
    settings = pixray.apply_settings()
    pixray.do_init(settings)
    pixray.do_run(settings)

Sizes and presets are pixray's; every setting of clipit and pixray is understood (docs/migration.md)
and so is every one of ours.
"""

from __future__ import annotations

from text2art.ancestors.calls import Calls
from text2art.ancestors.dialect import PIXRAY

_calls = Calls(PIXRAY)

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
