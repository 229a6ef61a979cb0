"""How many looks fit into memory: measured and decided before the first step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from text2art.abilities import Annealed
from text2art.core import Perceptor
from text2art.runtime import Runtime
from text2art.scene import Scene

SHARE = 0.7  # of the free memory is planned with: peaks were up to 1.4 times what was planned
EASY = 0.1  # of the free memory: perceptors that need less need no further planning
# Bytes kept for the backward pass per byte of a crop, at most: measured were 30 (ViT-B-32), 70 (the
# starter) and 82 (RN50); by their shapes, RN50x64 keeps some 500 and ViT-bigG-14 some 1500. What
# fits easily even so need not be measured.
MOST = 2000


def kept_bytes(call: Callable[[], object]) -> int:
    """Return how many bytes a call keeps for its backward pass, each storage once.

    Networks' weights count as well where the gradient passes them.
    """
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        result = call()  # what is kept lives as long as this, so no address comes twice
    del result
    return sum(kept.values())


def crop_bytes(perceptor: Perceptor, runtime: Runtime) -> int:
    """Measure how many bytes one crop more costs when a perceptor sees it, with its gradient.

    Two crops are compared with one: what both keep, the weights above all, costs nothing more.
    Where peaks of a forward and backward pass were measured, they were at most a tenth above it.
    """

    def seeing(count: int) -> int:
        crops = torch.full((count, 3, perceptor.size, perceptor.size), 0.5, device=runtime.device)
        return kept_bytes(lambda: perceptor.see(crops.requires_grad_()))

    return max(0, seeing(2) - seeing(1))


def picture_bytes(scene: Scene, sizes: Sequence[int]) -> int:
    """Measure how many bytes a step keeps for its picture and the crops of these sizes.

    Of a drawer that changes as the run goes on, its first picture and its result are measured.
    """
    ends = (False, True) if isinstance(scene.drawer, Annealed) else (False,)
    return max(_bytes_of(scene, sizes, final=final) for final in ends)


def _bytes_of(scene: Scene, sizes: Sequence[int], *, final: bool) -> int:
    crops: list[torch.Tensor] = []

    def cut() -> None:
        view = scene.view(0, 1, final=final)
        crops.extend(view.crops(size) for size in sizes)

    kept = kept_bytes(cut)
    return kept + 2 * sum(crop.nbytes for crop in crops)  # they and their gradient


def choose_chunk(
    count: int,
    perceptors: Sequence[Perceptor],
    cost: Callable[[Perceptor], int],
    standing: Callable[[], int],
    free: int | None,
) -> int | None:
    """Return how many crops perceptors should see at a time, None for all at once.

    What each perceptor keeps stays until the backward pass, so they share the memory. What is
    expensive to know is asked for last.

    Args:
        count: crops of a step.
        perceptors: all that see them.
        cost: measures the bytes of one crop: `crop_bytes`.
        standing: measures the bytes that the rest of a step keeps: `picture_bytes`.
        free: bytes, None where nobody knows: then nothing is planned.

    Returns:
        None, or a number below `count`; 0 says that not even one crop is sure to fit.
    """
    if free is None:
        return None
    crops = sum(3 * p.size**2 * torch.float32.itemsize for p in perceptors)
    if count * MOST * crops <= EASY * free:
        return None
    costs = sum(cost(perceptor) for perceptor in perceptors)
    if count * costs <= EASY * free:
        return None
    fitting = max(0, int((SHARE * free - standing()) / costs))
    return fitting if fitting < count else None
