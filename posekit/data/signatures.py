"""What a file is that is not what it was taken for, by its first bytes."""

HEAD = 512  # bytes that are enough to tell

_TAKEN_FOR_PICTURES = (
    (b"%PDF", "a PDF and no picture; save its pages as PNG"),
    (b"\x00\x05\x16\x07", "what macOS keeps beside a file (AppleDouble) and no picture; leave it out"),
    (b"\x00\x05\x16\x00", "what macOS keeps beside a file (AppleSingle) and no picture; leave it out"),
    (b"\xff\x0a", "JPEG XL, which is not read; convert it to JPEG or PNG"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL, which is not read; convert it to JPEG or PNG"),
    (b"v/1\x01", "OpenEXR, which is not read; convert it to PNG"),
    (b"#?RADIANCE", "Radiance HDR, which is not read; convert it to PNG"),
    (b"FUJIFILMCCD-RAW", "a camera's raw data, which are not read; develop them to JPEG or PNG"),
    (b"\x93NUMPY", "a NumPy array and no picture file; in Python, give predict(numpy.load(file))"),
    (b"PK\x03\x04", "a zip archive and no picture; unpack it"),
    (b"\x1f\x8b", "packed with gzip and no picture; unpack it"),
)
_PICTURES = (
    (b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"GIF8", "GIF"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"), (b"MM\0+", "TIFF"), (b"BM", "BMP"), (b"RIFF", "WebP"),
)  # fmt: skip
_BRANDS = {  # behind `ftyp`, of ISO's media files
    "HEIC, which is not read; convert it to JPEG or PNG": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"},
    "AVIF, which is not read here; convert it to JPEG or PNG": {b"avif", b"avis"},
    "a camera's raw data, which are not read; develop them to JPEG or PNG": {b"crx "},
    "a film and no picture; save its frames as pictures": {b"isom", b"iso2", b"mp41", b"mp42", b"avc1", b"qt  ", b"M4V ", b"3gp4", b"3gp5"},
}


def no_content(head: bytes) -> str:
    """What stands in the place of a file that was to be fetched, or "" where that is not known; `head` are its first HEAD bytes."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer and not the file itself, which `git lfs pull` fetches"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "a web page (HTML) and not the file itself; it was saved in its place, so fetch it anew by the link to the file"
    return ""


def no_picture(head: bytes) -> str:
    """What a file is that cannot be opened as a picture, and what to do about it; `head` are its first HEAD bytes."""
    if reason := no_content(head):
        return reason
    for start, reason in _TAKEN_FOR_PICTURES:
        if head.startswith(start):
            return reason
    if head[4:8] == b"ftyp":
        brands = {head[i : i + 4] for i in (8, *range(16, min(int.from_bytes(head[:4], "big"), len(head)), 4))}
        return next((reason for reason, known in _BRANDS.items() if brands & known), "of no kind that is read; convert it to JPEG or PNG")
    if b"<svg" in head.lower():
        return "an SVG drawing, which is not read; save it as PNG"
    for start, kind in _PICTURES:
        if head.startswith(start):
            return f"begins as {kind} and cannot be opened: it is damaged, or {kind} of a rare kind; save it anew as PNG, or leave it out"
    return "not a picture of a kind that is read; convert it to JPEG or PNG, or leave it out"
