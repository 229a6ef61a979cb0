"""Endless training batches: pictures, token rows and which captions may count as false."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.captions import CONTEXT, UNKNOWN, WordTokenizer
from training.compose import Composer
from training.plan import Planner
from training.subjects import SUBJECT_INDEX, SUBJECTS
from training.world import BACKGROUND_NAMES, BACKGROUNDS_ALIKE

HEADS = ("subject", "color", "count", "background", "style")


@dataclass
class Batch:
    """B pictures with 2B captions: one true caption each, then one with a changed attribute each.

    Attributes:
        images: (B, 3, 64, 64) in [0, 1].
        rows: (2B, CONTEXT) rows of the token table.
        masked: (B, 2B) true where a caption may be true of a picture that it was not written for.
        truth: (B, 5) attributes, -1 unknown.
    """

    images: Tensor
    rows: Tensor
    masked: Tensor
    truth: Tensor


def _may_hold() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which subject and background captions may be true of which pictures' values."""
    size = len(SUBJECTS) + 2
    subject = np.eye(size, dtype=bool)
    for i, kind in enumerate(SUBJECTS):
        for broader in kind.broader:
            subject[i, SUBJECT_INDEX[broader]] = True
    ground = np.eye(len(BACKGROUND_NAMES) + 1, dtype=bool)
    for a, b in BACKGROUNDS_ALIKE:
        ground[a, b] = ground[b, a] = True
    return subject, ground


class Compatibility:
    """Tells which captions may be true of which pictures, so that they are no negatives."""

    def __init__(self) -> None:
        self._subject, self._ground = _may_hold()

    def __call__(self, truth: NDArray[np.int64], claims: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Compare (B, 5) truths with (T, 5) claims: (B, T)."""
        ok = np.ones((len(truth), len(claims)), dtype=bool)
        for k in range(5):
            t, c = truth[:, k][:, None], claims[:, k][None, :]
            if k == 0:
                same = self._subject[t, c]
            elif k == 3:
                same = self._ground[t, c]
            else:
                same = t == c
            ok &= same | (c < 0) | (t < 0)
        return ok


class Stream:
    """Draws batches from seeded generators, a few batches at a time (cheaper per picture)."""

    def __init__(
        self, planner: Planner, composer: Composer, token_ids: Tensor, seed: int, batch: int,
        chunk: int = 3,
    ) -> None:  # fmt: skip
        self.planner, self.composer = planner, composer
        self.batch, self.chunk = batch, chunk
        self.rng = np.random.default_rng(seed)
        self.gen = torch.Generator(device=composer.device).manual_seed(seed)
        self.tokenizer = WordTokenizer()
        self.row_of = {int(t): i + 2 for i, t in enumerate(token_ids.tolist())}
        self.row_of[0] = 0
        self.compatible = Compatibility()
        self._ready: list[Batch] = []

    def rows(self, captions: list[str], unknown_share: float = 0.0) -> Tensor:
        """Return rows of the token table, (T, CONTEXT), some with an unknown word put in."""
        table = np.zeros((len(captions), CONTEXT), dtype=np.int64)
        u = self.rng.random((len(captions), 2))
        for i, caption in enumerate(captions):
            ids = self.tokenizer.ids(caption)
            if u[i, 0] < unknown_share and len(ids) < CONTEXT:
                ids.insert(1 + int(u[i, 1] * (len(ids) - 1)), UNKNOWN)
            table[i, : len(ids)] = [self.row_of.get(t, 1) for t in ids]
        return torch.from_numpy(table)

    def next(self, difficulty: float) -> Batch:
        """Return a batch; half of its pictures at most as hard as `difficulty`, half exactly."""
        if not self._ready:
            n = self.batch * self.chunk
            dif = np.full(n, difficulty, dtype=np.float32)
            dif[::2] *= self.rng.random(len(dif[::2])).astype(np.float32)
            self._ready = self._make(dif)
        return self._ready.pop()

    def _make(self, dif: NDArray[np.float32]) -> list[Batch]:
        plan = self.planner.draw(dif, self.rng)
        images = self.composer.draw(plan, self.gen)
        device = self.composer.device
        batches = []
        for start in range(0, len(dif), self.batch):
            cut = slice(start, start + self.batch)
            claims = np.concatenate([plan.claims[cut], plan.false_claims[cut]])
            masked = self.compatible(plan.truth[cut], claims)
            own = np.arange(len(masked))
            masked[own, own] = False
            rows = self.rows(plan.captions[cut] + plan.false_captions[cut], 0.06)
            batches.append(
                Batch(
                    images[cut],
                    rows.to(device),
                    torch.from_numpy(masked).to(device),
                    torch.from_numpy(plan.truth[cut]).to(device),
                )
            )
        return batches
