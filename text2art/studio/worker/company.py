"""Which waiting jobs may be drawn in the steps of another.

A step sees the pictures of all in one pass, so they go at one pace: they take as many steps of the
same kind and end together. What may differ is what is asked for, and the seed.

A job that was begun before is drawn alone: one of the company it had may have ended its process,
and if that was itself, it is found out without harm to others.
"""

from __future__ import annotations

from text2art.asking import KINDS
from text2art.errors import Text2ArtError
from text2art.settings import Settings
from text2art.studio import intake
from text2art.studio.model import Claim, Job, Json

_DIFFER = frozenset({*KINDS, "seed"})


def may_have_company(claim: Claim) -> bool:
    """Whether others may be drawn in the steps of a claimed job."""
    begun = claim.attempt > 1 or claim.checkpoint is not None or claim.parent_id is not None
    # Files lie in the folder that the process works in, which is one job's.
    return not begun and not intake.keys_of(claim.settings)


def keeps_company(claim: Claim, job: Job) -> bool:
    """Whether a waiting job may be drawn in the steps of one that `may_have_company`."""
    if job.attempt or job.checkpoint is not None or job.parent_id is not None:
        return False
    if intake.keys_of(job.settings) or _alike(claim.settings) != _alike(job.settings):
        return False
    try:
        return _steps(claim.settings) == _steps(job.settings)
    except Text2ArtError:  # one cannot be drawn: that is for its own attempt to say
        return False


def _alike(settings: Json) -> Json:
    return {name: value for name, value in settings.items() if name not in _DIFFER}


def _steps(settings: Json) -> int:
    return intake.steps_of(Settings.of(**settings))  # prompts may tell stories of several scenes
