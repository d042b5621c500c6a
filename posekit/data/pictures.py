"""Pictures from files, whatever their mode, as (H, W, 3) uint8 RGB."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from posekit.errors import PosekitError


def read_picture(path: str | Path, *, upright: bool = True) -> np.ndarray:
    """Read a picture of any mode: grey, palette, alpha (over white), CMYK and 16 bits are converted.

    `upright` applies the EXIF rotation; annotations count pixels as stored, so data sets are read without.
    Raises PosekitError naming the file when it is missing, empty, truncated or no picture.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise PosekitError(f"{path}: no such picture")
    if path.stat().st_size == 0:
        raise PosekitError(f"{path}: empty file")
    try:
        with Image.open(path) as image:
            image.load()
            return np.asarray(rgb(ImageOps.exif_transpose(image) if upright else image))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = str(error).replace(str(path), "").strip()
        raise PosekitError(f"{path}: not a whole picture ({reason}); replace or leave it out") from None


def rgb(image: Image.Image) -> Image.Image:
    """An image of any mode as RGB: what is transparent over white, more than 8 bits scaled to 8."""
    if image.mode.startswith("I") or image.mode == "F":  # 16 and 32 bits: Pillow's own conversion clips
        values = np.asarray(image, np.float64)
        top = 65535.0 if values.max() > 255 else 255.0
        return Image.fromarray((np.clip(values / top, 0, 1) * 255).round().astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


@dataclass(frozen=True)
class Folder:
    """Reads a data set's pictures by their name under a folder."""

    root: str

    def __call__(self, name: str) -> np.ndarray:
        return read_picture(Path(self.root) / name, upright=False)
