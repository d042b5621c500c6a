"""Archives of photographs, fetched from where their makers publish them.

A download that breaks off goes on where it stopped, the next time too. COCO's files are compared with the
SHA-256 that TensorFlow Datasets recorded for them (its `url_checksums/coco.txt`), as COCO publishes none; of
the others nobody is known to, so there only the length that the server announces is compared, and the SHA-256
of what came is kept beside the data.
"""

import json
import shutil
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posekit.errors import PosekitError, extra
from posekit.files import write_json

with extra("fetch", "fetching data"):
    import pooch
    import requests

CHUNK = 1 << 16
ATTEMPTS = 5  # in one call, while each gets some way
RECEIPT = "fetched.json"

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Archive:
    url: str
    size: int | None = None  # bytes
    sha256: str | None = None


@dataclass(frozen=True)
class Source:
    """A data set: the page of its makers, its archives, and what is to be known about them."""

    page: str
    archives: tuple[Archive, ...]
    note: str = ""


SOURCES = {
    "coco": Source("https://cocodataset.org/#download", (
        Archive("http://images.cocodataset.org/annotations/annotations_trainval2017.zip", 252_907_541,
                "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268"),
        Archive("http://images.cocodataset.org/zips/val2017.zip", 815_585_330,
                "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05"),
        Archive("http://images.cocodataset.org/zips/train2017.zip", 19_336_861_798,
                "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929"),
    )),
    "lsp": Source("http://sam.johnson.io/research/lsp.html", (Archive("http://sam.johnson.io/research/lsp_dataset.zip"),)),
    "lspet": Source("http://sam.johnson.io/research/lspet.html", (Archive("http://sam.johnson.io/research/lspet_dataset.zip"),)),
    "mpii": Source(
        "http://human-pose.mpi-inf.mpg.de",
        (Archive("https://datasets.d2.mpi-inf.mpg.de/andriluka14cvpr/mpii_human_pose_v1.tar.gz"),),
        "these are the photographs; mpii_annotations.json, which the community made from MPII's MATLAB file, is to be put beside images/",
    ),
}  # fmt: skip


def fetch(name: str, folder: str | Path, progress: Progress | None = None) -> Path:
    """Fetch a data set's archives and unpack them in `folder`, each once; `progress` is called with file, bytes so far and bytes in all.

    `folder/fetched.json` keeps the address, size and SHA-256 of what came. Nothing is left of an archive once it is
    unpacked.

    Raises:
        PosekitError: no such data set, no room, no answer, or a file that is not what it should be.
    """
    if name not in SOURCES:
        raise PosekitError(f"no data set named {name!r} to fetch; there is {', '.join(SOURCES)}")
    folder = Path(folder)
    for archive in SOURCES[name].archives:
        _fetch_one(archive, folder, SOURCES[name].page, progress)
    return folder


def _fetch_one(archive: Archive, folder: Path, page: str, progress: Progress | None) -> None:
    file = archive.url.rpartition("/")[2]
    receipt = folder / RECEIPT
    known = json.loads(receipt.read_text("utf-8")) if receipt.is_file() else {}
    if file in known:
        return
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if archive.size and free < 2 * archive.size:  # packed and unpacked
        raise PosekitError(
            f"{folder}: {file} needs {2 * archive.size / 1e9:.1f} GB to be fetched and unpacked, and {free / 1e9:.1f} GB are free"
        )
    pooch.get_logger().setLevel("WARNING")
    try:
        path = pooch.retrieve(
            archive.url,
            known_hash=f"sha256:{archive.sha256}" if archive.sha256 else None,
            fname=file,
            path=folder,
            downloader=Resuming(folder / f"{file}.part", archive.size, progress),
        )
    except requests.RequestException as error:
        raise PosekitError(
            f"{archive.url}: {_reason(error)}; what has come is kept and the same command goes on; its makers' page is {page}"
        ) from None
    except ValueError:  # of pooch, when the hash is another
        raise PosekitError(f"{archive.url}: the file that came is not the one expected (SHA-256); it was removed, try again") from None
    content = {"url": archive.url, "bytes": Path(path).stat().st_size, "sha256": pooch.file_hash(path)}
    try:
        if file.endswith(".zip"):  # of itself this leaves out absolute names and `..`
            shutil.unpack_archive(path, folder)
        else:
            shutil.unpack_archive(path, folder, filter="data")
    except (shutil.ReadError, zipfile.BadZipFile, EOFError, zlib.error):
        Path(path).unlink()
        raise PosekitError(f"{archive.url}: what came is not a whole archive; it was removed, try again") from None
    except OSError as error:
        raise PosekitError(f"{path}: could not be unpacked: {error.strerror or error}") from None
    write_json(receipt, known | {file: content})
    Path(path).unlink()


@dataclass
class Resuming:
    """A downloader for pooch that keeps what has come in `part`, and asks for the rest only."""

    part: Path
    size: int | None  # bytes expected
    progress: Progress | None

    def __call__(self, url: str, output_file: Any, pooch: Any) -> None:
        for attempt in range(ATTEMPTS):
            before = self._have()
            try:
                self._go_on(url)
                break
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if self._have() == before or attempt == ATTEMPTS - 1:
                    raise
        self.part.replace(output_file)
        self._validator.unlink(missing_ok=True)

    @property
    def _validator(self) -> Path:
        """What the server said identifies the file: another answer means that the beginning is of another file."""
        return self.part.with_name(f"{self.part.name}.etag")

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _go_on(self, url: str) -> None:
        have = self._have()
        headers = {"Accept-Encoding": "identity"}
        if have and self._validator.exists():
            headers |= {"Range": f"bytes={have}-", "If-Range": self._validator.read_text()}
        with requests.get(url, headers=headers, stream=True, timeout=60) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable and _total(answer) == have:
                return  # all of it came the last time
            answer.raise_for_status()
            rest = answer.status_code == requests.codes.partial_content
            length = answer.headers.get("Content-Length")
            total = int(length) + (have if rest else 0) if length else None
            if self.size and total not in (self.size, None):
                raise PosekitError(f"{url}: has {total:,} bytes instead of {self.size:,}; its makers have changed it")
            if etag := answer.headers.get("ETag") or answer.headers.get("Last-Modified"):
                self._validator.write_text(etag)
            done = have if rest else 0
            with self.part.open("ab" if rest else "wb") as file:
                for chunk in answer.iter_content(CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    if self.progress:
                        self.progress(self.part.stem, done, total)
        if total is not None and done < total:
            raise requests.ConnectionError(f"broke off after {done:,} of {total:,} bytes")


def _total(answer: requests.Response) -> int | None:
    """The length of the whole file, where the answer to a request for a part says it."""
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdecimal() else None


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"answers {error.response.status_code} {error.response.reason}"
    return " ".join(str(error).split()) or type(error).__name__
