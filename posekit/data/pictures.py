"""Pictures from files, whatever their mode, as (H, W, 3) uint8 RGB."""

import re
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from posekit.data.signatures import HEAD, no_picture
from posekit.errors import PosekitError
from posekit.files import expand_user

LARGEST = 300 * 10**6  # pixels; phones take 200 megapixels, and a file of a few KB can claim millions
RANGES = (1, 255, 65535)  # where the values of pictures of more than 8 bits may end
_DAMAGED = re.compile("truncated|broken|unrecognized data|not enough image data|bad header checksum|decoding error|failed to decode", re.I)
_UNCLEAR = "a dark picture, or one of another range (10 or 12 bits, say)? That is ambiguous; save it with 8 bits"
_NO_PICTURES = {".bufr", ".grib", ".h5", ".hdf", ".mpeg", ".mpg"}  # which Pillow knows and cannot decode
_UNREAD = {".heic", ".heif", ".avif", ".jxl", ".exr", ".hdr", ".svg", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"}
_OPENING = threading.Lock()


def read_picture(path: str | Path, *, upright: bool = True) -> np.ndarray:
    """Read a picture of any mode: grey, palette, alpha (over white), CMYK and more than 8 bits are converted, see `rgb`.

    `upright` applies the EXIF rotation; annotations count pixels as stored, so data sets are read without.
    Raises PosekitError naming the file when it is missing, empty, damaged, too large, no picture, or of values whose range is ambiguous.
    """
    path = expand_user(path)
    if not path.is_file():
        raise PosekitError(f"{path}: no such picture")
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
        if not head:
            raise PosekitError("empty file")
        with _opened(path) as image:
            width, height = image.size
            if width * height > LARGEST:
                raise PosekitError(f"too large, {width} x {height} pixels; {LARGEST // 10**6} megapixels are read, make it smaller")
            wide = is_wide(image)
            image.load()
            if upright:
                ImageOps.exif_transpose(image, in_place=True)
            return np.asarray(rgb(image, wide))
    except PosekitError as error:
        raise PosekitError(f"{path}: {error}") from None
    except UnidentifiedImageError:
        raise PosekitError(f"{path}: {no_picture(head)}") from None
    except MemoryError:
        raise PosekitError(f"{path}: too large for the memory there is; make it smaller") from None
    except Exception as error:  # damaged files end in many ways
        reason = getattr(error, "strerror", None) or str(error).replace(str(path), "").strip() or type(error).__name__
        fault = "not a whole picture" if _DAMAGED.search(reason) else "cannot be read"
        raise PosekitError(f"{path}: {fault} ({reason}); replace or leave it out") from None


def _opened(path: Path) -> Image.Image:
    """The picture's header. Pillow warns of 90 megapixels and refuses 180; how large is too large is said here, in one line."""
    with _OPENING:
        theirs, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path)
        finally:
            Image.MAX_IMAGE_PIXELS = theirs


def is_wide(image: Image.Image) -> bool:
    """Whether a picture has 16 bits a colour, of which Pillow keeps the upper 8 when it reads them; checked before that."""
    return any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def rgb(image: Image.Image, wide: bool = False) -> Image.Image:
    """An image of any mode as RGB: what is transparent over white, more than 8 bits scaled to 8.

    Values of 16 and 32 bits and floats are read by where they end: within [0, 1], [0, 255] or [0, 65535], each where the largest
    value lies in the upper three quarters (whatever it is up to 1, for floats). `wide` says that what is stored as 8 bits are the
    upper ones of 16.

    Raises:
        PosekitError: the range is ambiguous, or a value is negative or not finite.
    """
    if image.mode.startswith("I") or image.mode == "F":  # 16 and 32 bits: Pillow's own conversion clips
        return Image.fromarray(_to_bytes(np.asarray(image))).convert("RGB")
    if wide:
        high = int(np.max(image.convert("RGB").getextrema()))
        if high < 64:
            raise PosekitError(f"has 16 bits a colour and values up to {high * 256 + 255} at most: {_UNCLEAR}")
    if image.mode in ("La", "RGBa"):  # premultiplied
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """Values (H, W) of more than 8 bits as uint8."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(low + high):
        raise PosekitError("has values that are not finite, so that its range is ambiguous; save it with 8 bits")
    slack = 1e-3 if values.dtype.kind == "f" else 0
    if low < -slack:
        raise PosekitError(f"has values from {low:.4g} to {high:.4g}, so that it cannot be told which is black; save it with 8 bits")
    for top in RANGES if slack else RANGES[1:]:
        if high <= top * (1 + slack) and (high > top / 4 or top == 1 or high == 0):
            return np.round(255 * (values / np.float32(top)).clip(0, 1)).astype(np.uint8)
    raise PosekitError(f"has values up to {high:.4g}: {_UNCLEAR}")


def in_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files in a folder whose names say that they are pictures which can be read, and those that are pictures of other kinds.

    What is hidden is neither, macOS' `._NAME` beside each file among it.
    """
    read = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN} - _NO_PICTURES | {".mpo"}
    files = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and path.is_file()]
    others = [path for path in files if path.suffix.lower() in _UNREAD - read]
    return [path for path in files if path.suffix.lower() in read], others


@dataclass(frozen=True)
class Folder:
    """Reads a data set's pictures by their name under a folder, whatever the case of its letters and the form of its accents."""

    root: str

    def __call__(self, name: str) -> np.ndarray:
        return read_picture(Path(self.root) / name, upright=False)
