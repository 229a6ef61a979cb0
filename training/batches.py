"""Endless training batches: pictures, token rows and which captions may count as false."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.compose import Composer
from training.planning import PlanSource, Written
from training.subjects import SUBJECT_INDEX, SUBJECTS
from training.world import (
    BACKGROUND,
    BACKGROUND_NAMES,
    BACKGROUNDS_ALIKE,
    COLOR,
    RELATION,
    SECOND,
    SECOND_COLOR,
    SUBJECT,
)

# Columns of the attribute table that have a linear head of their own, dropped at export.
HEADS = ("subject", "color", "count", "background", "style")


@dataclass
class Batch:
    """B pictures with 2B captions: one true caption each, then one with a changed attribute each.

    Attributes:
        images: (B, 3, S, S) in [0, 1].
        rows: (2B, L) rows of the token table, L no longer than the longest caption needs.
        masked: (B, 2B) true where a caption may be true of a picture that it was not written for.
        truth: (B, columns) attributes, -1 unknown.
    """

    images: Tensor
    rows: Tensor
    masked: Tensor
    truth: Tensor


class Compatibility:
    """Tells which captions may be true of which pictures, so that they are no negatives."""

    def __init__(self, device: torch.device) -> None:
        size = len(SUBJECTS) + 2
        subject = torch.eye(size, dtype=torch.bool)
        for i, kind in enumerate(SUBJECTS):
            for broader in kind.broader:
                subject[i, SUBJECT_INDEX[broader]] = True
        ground = torch.eye(len(BACKGROUND_NAMES) + 1, dtype=torch.bool)
        for a, b in BACKGROUNDS_ALIKE:
            ground[a, b] = ground[b, a] = True
        self._subject, self._ground = subject.to(device), ground.to(device)

    def __call__(self, truth: Tensor, claims: Tensor) -> Tensor:
        """Compare (B, columns) truths with (T, columns) claims: (B, T).

        A claim about two things holds whichever of them it names first; a claim about one thing
        holds for either of two.
        """
        may = torch.ones(len(truth), len(claims), dtype=torch.bool, device=truth.device)
        for column in range(truth.shape[1]):
            if column not in (SUBJECT, COLOR, SECOND, RELATION, SECOND_COLOR):
                table = self._ground if column == BACKGROUND else None
                may &= _holds(truth[:, column], claims[:, column], table)
        # Left and right, above and below change places with the order of naming.
        turned = torch.where(truth[:, RELATION] >= 0, truth[:, RELATION] ^ 1, -1)
        first = (truth[:, SUBJECT], truth[:, COLOR], truth[:, SECOND], truth[:, SECOND_COLOR])
        swapped = (first[2], first[3], first[0], first[1])
        two = first[2] < len(SUBJECTS)
        either = self._pair(first, truth[:, RELATION], claims)
        either |= self._pair(swapped, turned, claims) & two[:, None]
        return may & either

    def _pair(
        self, things: tuple[Tensor, Tensor, Tensor, Tensor], relation: Tensor, claims: Tensor
    ) -> Tensor:
        subject, color, second, second_color = things
        return (
            _holds(subject, claims[:, SUBJECT], self._subject)
            & _holds(color, claims[:, COLOR])
            & _holds(second, claims[:, SECOND], self._subject)
            & _holds(second_color, claims[:, SECOND_COLOR])
            & _holds(relation, claims[:, RELATION])
        )


def _holds(truth: Tensor, claim: Tensor, table: Tensor | None = None) -> Tensor:
    """Return (B, T) whether claims hold of truths; -1 on either side rules nothing out."""
    t, c = truth[:, None], claim[None, :]
    same = t == c if table is None else table[t, c]
    return same | (c < 0) | (t < 0)


class Stream:
    """Draws batches: plans from a source, pictures on the composer's device.

    Args:
        source: gives written plans, from this process or from workers.
        composer: draws them, several batches at a time (cheaper per picture).
        seed: of the pictures' own random numbers.
        batch: pictures per batch.
    """

    def __init__(self, source: PlanSource, composer: Composer, seed: int, batch: int) -> None:
        self.source, self.composer, self.batch = source, composer, batch
        self.gen = torch.Generator(device=composer.device).manual_seed(seed)
        self.compatible = Compatibility(composer.device)
        self._ready: list[Batch] = []

    def next(self, difficulty: float) -> Batch:
        """Return a batch; half of its pictures at most as hard as `difficulty`, half exactly."""
        if not self._ready:
            self._ready = self._make(self.source.next(difficulty))
        return self._ready.pop()

    def pictures(self, n: int, difficulty: float) -> Tensor:
        """Return pictures alone, (n, 3, S, S), without captions."""
        parts: list[Tensor] = []
        while sum(map(len, parts)) < n:
            parts.append(self.next(difficulty).images)
        return torch.cat(parts)[:n]

    def _make(self, written: Written) -> list[Batch]:
        plan, device = written.plan, self.composer.device
        images = self.composer.draw(plan, self.gen)
        truth = torch.from_numpy(plan.truth).to(device)
        claims = torch.from_numpy(plan.claims).to(device)
        false_claims = torch.from_numpy(plan.false_claims).to(device)
        rows = torch.from_numpy(written.rows.astype(np.int64)).to(device)
        false_rows = torch.from_numpy(written.false_rows.astype(np.int64)).to(device)
        batches = []
        for start in range(0, len(images), self.batch):
            cut = slice(start, start + self.batch)
            masked = self.compatible(truth[cut], torch.cat([claims[cut], false_claims[cut]]))
            masked.fill_diagonal_(False)
            batches.append(
                Batch(images[cut], torch.cat([rows[cut], false_rows[cut]]), masked, truth[cut])
            )
        return batches
