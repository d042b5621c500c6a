import pickle

import numpy as np
import pytest
from PIL import Image

from posekit.data.pictures import Folder, read_picture
from posekit.errors import PosekitError

RGB = np.random.default_rng(0).integers(0, 255, (9, 12, 3), np.uint8)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    grey = RGB[..., 0]
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode in ("I", "F"):
        image = Image.fromarray(grey.astype(np.int32 if mode == "I" else np.float32))
    else:
        image = Image.fromarray(RGB).convert("RGB" if mode == "PA" else mode)
    if mode == "PA":
        image = image.convert("P").convert("PA")
    path = tmp_path / ("x.tif" if mode in ("CMYK", "YCbCr", "F", "I", "I;16", "PA") else "x.png")
    if mode in ("HSV", "PA"):
        pytest.skip(f"no file format here stores {mode}")
    image.save(path)
    picture = read_picture(path)
    assert picture.shape == (9, 12, 3) and picture.dtype == np.uint8
    if mode in ("L", "I", "F", "I;16", "LA"):
        wanted = np.asarray(Image.fromarray(RGB).convert("L")) if mode in ("L", "LA") else grey
        assert np.abs(picture.astype(int) - wanted[..., None]).max() <= 1


def test_transparent_is_white(tmp_path):
    rgba = np.dstack([RGB, np.zeros((9, 12), np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "x.png")
    assert (read_picture(tmp_path / "x.png") == 255).all()


def test_exif_rotation(tmp_path):
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = 6  # stored lying, to be turned clockwise
    image.save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "x.png"), np.rot90(RGB, -1))
    assert np.array_equal(read_picture(tmp_path / "x.png", upright=False), RGB)  # as annotations count


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such picture"),
        (b"", "empty file"),
        (b"hello, I am no picture", "not a whole picture"),
        ("half", "not a whole picture"),
    ],
)
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_bad_files_are_named(tmp_path, content, says, suffix):
    path = tmp_path / f"x{suffix}"
    if content == "half":
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8)).save(path)
        content = path.read_bytes()[: path.stat().st_size // 2]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PosekitError, match=says) as caught:
        read_picture(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_folder_is_picklable(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "x.png")
    read = pickle.loads(pickle.dumps(Folder(str(tmp_path))))
    assert np.array_equal(read("x.png"), RGB)
