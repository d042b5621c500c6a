import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import posekit
from posekit.data import pictures
from posekit.data.pictures import Folder, read_picture, rgb
from posekit.engine.inference.prediction import as_picture
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
        (b"hello, I am no picture", "not a picture of a kind that is read"),
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


GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)
SCALES = {"float in [0, 1]": (np.float32, 1 / 255), "float in [0, 255]": (np.float32, 1), "float in [0, 65535]": (np.float32, 257),
          "16 bits": (np.uint16, 257), "8 bits in 16": (np.uint16, 1), "16 bits, big-endian": (">u2", 257),
          "16 bits in 32": (np.int32, 257), "8 bits in 32": (np.int32, 1)}  # fmt: skip


@pytest.mark.parametrize("share", [1, 0.5, 0.3])  # of the range that a picture uses, the darkest a third
@pytest.mark.parametrize("kind", SCALES)
def test_values_of_more_than_8_bits_are_the_grey_picture_that_they_are(tmp_path, kind, share):
    dtype, scale = SCALES[kind]
    grey = (GREY * share).astype(np.uint8)
    Image.fromarray((grey.astype(np.float64) * scale).astype(dtype)).save(tmp_path / "x.tif")
    assert np.array_equal(read_picture(tmp_path / "x.tif"), np.dstack([grey] * 3))


@given(st.floats(0.01, 1))
def test_a_float_picture_up_to_one_is_as_bright_as_it_says(brightness):
    values = np.asarray(rgb(Image.fromarray((GREY / 255 * brightness).astype(np.float32))))
    assert np.abs(values[..., 0] - GREY * brightness).max() < 0.51


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (GREY.astype(np.uint16) * 16, "up to 4080: a dark picture, or one of another range"),  # 12 bits
        (GREY.astype(np.uint16) * 4, "up to 1020"),
        (GREY.astype(np.int32) * 10**6, "up to 2.55e"),
        (GREY.astype(np.float32) / 100, "up to 2.55"),  # brighter than white
        (GREY.astype(np.float32) / 127.5 - 1, "from -1 to 1"),
        (GREY.astype(np.int32) - 128, "from -128 to 127"),
        (np.where(GREY == 7, np.nan, GREY / 255).astype(np.float32), "not finite"),
        (np.where(GREY == 7, np.inf, GREY / 255).astype(np.float32), "not finite"),
        ((GREY > 128).astype(np.uint16), "up to 1"),
    ],
)
def test_a_range_that_cannot_be_told_is_refused(tmp_path, values, says):
    Image.fromarray(values).save(tmp_path / "x.tif")
    with pytest.raises(PosekitError, match=says) as caught:
        read_picture(tmp_path / "x.tif")
    assert str(caught.value).startswith(str(tmp_path / "x.tif")) and "\n" not in str(caught.value)


def test_black_is_black_in_every_range(tmp_path):
    for dtype in (np.float32, np.uint16, np.int32):
        Image.fromarray(np.zeros((4, 4), dtype)).save(tmp_path / "x.tif")
        assert not read_picture(tmp_path / "x.tif").any()


@pytest.mark.parametrize(("scale", "whole"), [(257, True), (16, False), (1, False)])
def test_colours_of_16_bits(tmp_path, scale, whole):
    """Pillow cannot write them and keeps their upper 8 bits when it reads: a PNG is put together here."""
    import struct
    import zlib

    values = np.dstack([GREY, GREY.T, GREY]).astype(">u2") * scale
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0)
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(file)
    if whole:
        for found in (read_picture(tmp_path / "x.png"), as_picture(Image.open(tmp_path / "x.png"))[0]):
            assert np.array_equal(found, np.dstack([GREY, GREY.T, GREY]))
    else:
        with pytest.raises(PosekitError, match="16 bits a colour and values up to"):
            read_picture(tmp_path / "x.png")
        with pytest.raises(PosekitError, match=r"^the picture has 16 bits"):
            as_picture(Image.open(tmp_path / "x.png"))


@pytest.mark.parametrize("mode", ["La", "RGBa", "LA", "RGBA"])
def test_premultiplied_pictures_are_those_that_they_came_from(mode):
    grey, alpha = Image.fromarray(GREY), Image.new("L", (16, 16), 255)
    plain = Image.merge("LA", (grey, alpha)) if mode.startswith("L") else Image.merge("RGBA", (grey, grey, grey, alpha))
    assert np.array_equal(np.asarray(rgb(plain.convert(mode)))[..., 0], GREY)


NOT_PICTURES = {
    "a PDF": b"%PDF-1.7\n",
    "AppleDouble": b"\0\5\x16\7\0\2\0\0Mac OS X",
    "git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",
    "web page": b"\xef\xbb\xbf \n<!DOCTYPE html><html>",
    "SVG": b'<?xml version="1.0"?><svg xmlns="x">',
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "film": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2",
    "raw data": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    "JPEG XL": b"\xff\x0a\x00\x00",
    "zip": b"PK\3\4\0\0",
    "gzip": b"\x1f\x8b\x08\0",
    "NumPy": b"\x93NUMPY\1\0",
}


@pytest.mark.parametrize("kind", NOT_PICTURES)
@pytest.mark.parametrize("name", ["x.jpg", "x.PNG", "._x.png"])
def test_what_is_no_picture_is_called_what_it_is(tmp_path, kind, name):
    (tmp_path / name).write_bytes(NOT_PICTURES[kind] + bytes(200))
    with pytest.raises(PosekitError, match=kind) as caught:
        read_picture(tmp_path / name)
    assert "whole" not in str(caught.value) and str(caught.value).startswith(str(tmp_path / name))


@pytest.mark.parametrize("size", [(12000, 9000), (15000, 12000)])  # 108 and 180 megapixels: Pillow warns of the one and refuses the other
def test_large_photographs_are_read_without_a_warning(tmp_path, size):
    Image.new("1", size, 1).save(tmp_path / "x.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_picture(tmp_path / "x.png").shape == (size[1], size[0], 3)
    assert Image.MAX_IMAGE_PIXELS  # Pillow's own limit stands for others


def test_what_is_too_large_is_called_so(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "x.png")
    monkeypatch.setattr(pictures, "LARGEST", 100)
    with pytest.raises(PosekitError, match="too large, 12 x 9 pixels"):
        read_picture(tmp_path / "x.png")


def test_a_name_that_begins_with_a_tilde_is_no_home_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(RGB).save("~picture.png")
    assert (read_picture("~picture.png") == RGB).all()
    with pytest.raises(PosekitError, match=r"^~nobody-of-this-name/x.png: no such picture$"):
        read_picture("~nobody-of-this-name/x.png")
    with pytest.raises(PosekitError, match=r"^~nobody-of-this-name/x.safetensors: no such weights file"):
        posekit.load("~nobody-of-this-name/x.safetensors")
    with pytest.raises(PosekitError, match="~nobody-of-this-name"):
        posekit.load_people("lspet:~nobody-of-this-name/leeds")
