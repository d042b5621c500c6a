"""What the machine has, and the fast path that follows from it."""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from posekit.process import cores


@dataclass(frozen=True)
class Backend:
    """How to compute: `str()` of it is the first line that long work prints.

    Attributes:
        device: where tensors lie.
        bf16: whether convolutions and products are computed in bfloat16.
        channels_last: whether the channels of a pixel lie side by side in memory.
        can_compile: whether torch.compile has what it needs.

    >>> plain = Backend.plain()
    >>> plain.bf16, plain.channels_last
    (False, False)
    >>> Backend.best("cpu").device
    device(type='cpu')
    """

    device: torch.device
    bf16: bool
    channels_last: bool
    can_compile: bool

    @classmethod
    def best(cls, device: str | None = None) -> "Backend":
        """The fast path of this machine, or of the named device."""
        name = device or ("cuda" if torch.cuda.is_available() else "cpu")
        if name.startswith("cuda"):
            return cls(torch.device(name), torch.cuda.is_bf16_supported(), True, _found("CC", "gcc", "clang", "cc"))
        return cls(torch.device("cpu"), _native_bf16(), True, _found("CXX", "g++"))

    @classmethod
    def plain(cls, device: str = "cpu") -> "Backend":
        """Float32, contiguous, eager: what every fast path is compared with."""
        return cls(torch.device(device), False, False, False)

    def worth_compiling(self, steps: int) -> bool:
        """Whether the minute that compiling takes is won back over so many training steps. On the CPU it hardly gains (`posekit bench`)."""
        return self.device.type == "cuda" and self.can_compile and steps > 1500

    def place(self, model: nn.Module) -> nn.Module:
        if self.channels_last:
            return model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return model.to(self.device)

    def autocast(self) -> AbstractContextManager:
        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext()

    def pictures(self, batch: torch.Tensor) -> torch.Tensor:
        batch = batch.to(self.device, non_blocking=True)
        return batch.contiguous(memory_format=torch.channels_last) if self.channels_last else batch

    def __str__(self) -> str:
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
        else:
            threads = torch.get_num_threads()
            name = f"{cores()} cores ({platform.machine()}), {threads} thread{'s' * (threads > 1)}"
        how = [f"{'bfloat16 mixed precision' if self.bf16 else 'float32'}"]
        how.append("channels-last" if self.channels_last else "contiguous")
        return f"{name}: {', '.join(how)}"


def _found(variable: str, *programs: str) -> bool:
    """Whether there is the compiler that an environment variable names, or without it one of the programs."""
    return any(shutil.which(name) for name in ([os.environ[variable]] if os.environ.get(variable) else programs))


def _native_bf16() -> bool:
    """Whether torch has bfloat16 instructions: the processor's, unless ATEN_CPU_CAPABILITY or ONEDNN_MAX_CPU_ISA rules them out.

    Without them bfloat16 is imitated, a hundred times as slow.
    """
    if hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        has = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    else:  # torch older than that
        has = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    used = torch.backends.cpu.get_cpu_capability() == "AVX512" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return bool(used and has)


@contextmanager
def own_random_state(device: torch.device) -> Iterator[None]:
    """Within, torch's default generators may be seeded; afterwards, and after an error, they are as the caller left them."""
    if device.type == "cuda":
        torch.cuda.init()  # what the caller seeded before there was a GPU to seed is so seeded first
    with torch.random.fork_rng(range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []):
        yield


def seed_generators(number: int, device: torch.device) -> None:
    """Seed the default generators that computing on `device` draws from, and no others."""
    (torch.manual_seed if device.type == "cuda" else torch.default_generator.manual_seed)(number)
