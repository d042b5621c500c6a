"""Training shared out over processes started by `torchrun`."""

import atexit
import os
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class World:
    rank: int
    size: int

    def rows(self, total: int) -> slice:
        """This process's share of a batch of `total`."""
        return slice(self.rank * total // self.size, (self.rank + 1) * total // self.size)


def world() -> World:
    """The processes that train together; one, unless `torchrun` started more."""
    if not dist.is_initialized() and int(os.environ.get("WORLD_SIZE", 1)) > 1:
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        atexit.register(dist.destroy_process_group)
    return World(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else World(0, 1)


def total(value: Tensor) -> Tensor:
    """The sum over all processes."""
    if world().size > 1:
        value = value.clone()
        dist.all_reduce(value)
    return value


def any_of(flag: bool) -> bool:
    """Whether any process says so; all get the same answer."""
    if world().size == 1:
        return flag
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    return bool(total(torch.tensor(float(flag), device=device)))


def from_first(value: Any) -> Any:
    """The first process's value, in all of them."""
    if world().size == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def barrier() -> None:
    if world().size > 1:
        dist.barrier()


def wrap(model: nn.Module, backend) -> nn.Module:
    """The model with its gradients averaged over the processes; all start from the first one's weights."""
    if world().size == 1:
        return model
    devices = [torch.cuda.current_device()] if backend.device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(model, device_ids=devices, forward_sync_buffers=False)


class _Sum(torch.autograd.Function):
    """`total`, through which gradients flow: each process's gradient is the sum of all processes'."""

    @staticmethod
    def forward(ctx, value: Tensor) -> Tensor:
        return total(value)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return total(gradient.contiguous())


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over the batch of all processes. torch's own SyncBatchNorm runs on GPUs only."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or world().size == 1:
            return super().forward(x)
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        y = x.to(torch.promote_types(x.dtype, torch.float32))
        shift = self.running_mean.detach().clone()  # near the mean: no digits are lost below
        centred = y - shift[:, None, None]
        count = centred.new_full((1,), y.numel() / y.shape[1])
        sums = _Sum.apply(torch.cat([centred.sum((0, 2, 3)), centred.square().sum((0, 2, 3)), count]))
        count = sums[-1].detach()
        mean, square = (sums[:-1] / count).chunk(2)
        variance = (square - mean.square()).clamp_min(0)
        with torch.no_grad():
            self.running_mean.lerp_(mean + shift, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]).to(x.dtype)


def synchronise_batch_norm(model: nn.Module) -> None:
    """Let every batch normalisation see the batches of all processes. Parameters stay the same objects."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = BatchNorm2d
