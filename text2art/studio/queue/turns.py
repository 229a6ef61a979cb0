"""Whose turn it is, as arithmetic: a clock of rounds, on which every owner has the time of a turn.

A round is as many claims as owners wait, so each claim sets the clock on by one over their number.
A claim notes the clock's time as its owner's; whoever waits with the earliest time is next, of the
same time the owner whose job has waited longest. Whoever comes, new or again after a pause, enters
at the later of two times: that of the own last turn, or `LEAD` rounds ago.

So who comes goes before those who were served lately, and before each of them for `LEAD` rounds at
most: from then on all who come are behind, however many, and those who are still before have one
turn each. Without the clock the new would keep all others waiting for as long as they come. While
nobody comes, owners are served in one fixed order, round after round.

(Virtual time that goes by 1 / number of those who wait is that of fair queuing: Demers, Keshav and
Shenker 1989. There, newcomers start at the present time: LEAD would be 0 or 1.)
"""

from __future__ import annotations

LEAD = 3.0  # rounds
NEXT = -1.0  # the time of an owner who is to be served next


def entry(clock: float) -> float:
    """Return the earliest time with which an owner begins to wait.

    Args:
        clock: the time of the latest claim.
    """
    return clock - LEAD


def served(clock: float, owners: int) -> float:
    """Return the time of a claim, and so of the owner it serves.

    Args:
        clock: the time of the claim before.
        owners: that waited for the claim, at least 1.
    """
    return clock + 1.0 / owners
