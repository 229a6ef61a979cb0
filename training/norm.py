"""Batch norm that settles: late in training it uses its running statistics, as when it is used.

Batches mix clean, perturbed and guided pictures, whose statistics differ; what is exported sees one
kind at a time. Trained to the end on batch statistics, the network that guides would never quite be
the network that was trained. A tensor tells the two apart, so that a compiled graph serves both.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from text2art.nets.starter import ConvTower


class SettlingNorm(nn.BatchNorm2d):
    """Batch norm whose statistics are the running ones where `settled` is 1.

    Parameters and buffers are named as in `nn.BatchNorm2d`.
    """

    def __init__(self, channels: int, settled: Tensor) -> None:
        super().__init__(channels, momentum=0.02)
        self.settled = settled

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (N, C, H, W), in float32 statistics whatever the number type of `x`."""
        assert self.running_mean is not None
        assert self.running_var is not None
        mean, var = self.running_mean, self.running_var
        if x.device.type == "cpu":  # where nothing compiles what is below into one pass
            batch = self.training and not bool(self.settled)
            return F.batch_norm(
                x, mean, var, self.weight, self.bias, batch, self.momentum or 0.0, self.eps
            )
        if self.training:
            wide = x.float()
            now_mean = wide.mean((0, 2, 3))
            now_var = wide.var((0, 2, 3), unbiased=False)
            assert self.momentum is not None
            with torch.no_grad():
                step = self.momentum * (1 - self.settled)
                self.running_mean.lerp_(now_mean.detach(), step)
                self.running_var.lerp_(now_var.detach(), step)
            mean = torch.lerp(now_mean, self.running_mean, self.settled)
            var = torch.lerp(now_var, self.running_var, self.settled)
        gain = self.weight * (var + self.eps).rsqrt()
        offset = self.bias - mean * gain
        scaled: Tensor = x * gain.view(1, -1, 1, 1).to(x.dtype)
        return scaled + offset.view(1, -1, 1, 1).to(x.dtype)


def settle(tower: ConvTower, device: torch.device) -> Tensor:
    """Replace the tower's batch norms by settling ones; return the scalar that settles them all."""
    settled = torch.zeros((), device=device)
    for block in tower.layers:
        norm = getattr(block, "norm", None)
        if isinstance(norm, nn.BatchNorm2d):
            block.norm = SettlingNorm(norm.num_features, settled).to(device)
    return settled
