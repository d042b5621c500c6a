"""Downloads from a server on loopback: progress, resuming, checksums, and what goes wrong."""

import hashlib
import io
import json
import re
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from posekit.data.download import fetch
from posekit.errors import PosekitError

BULK = np.random.default_rng(0).bytes(3_000_000)  # does not compress


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("images/im0001.jpg", BULK)
        archive.writestr("joints.mat", b"joints")
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo("images/1.jpg")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"photo"))
    return file.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Files by name; knows ranges; breaks off after `server.patience` bytes of an answer, where that is set."""

    def do_GET(self):
        server = self.server
        server.asked.append(dict(self.headers))
        body = server.files.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(404)
            return
        tag = f'"{hashlib.sha256(body).hexdigest()[:8]}"'
        start = 0
        if (wanted := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))) and self.headers.get("If-Range", tag) == tag:
            start = int(wanted[1])
        if start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("ETag", tag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        self.wfile.write(body[start:][: server.patience])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.asked, server.patience = {"people.zip": zipped(), "people.tar.gz": tarred()}, [], None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def offer(name="people.zip", **known):
        archive = fetch.Archive(f"http://127.0.0.1:{server.server_port}/{name}", **known)
        monkeypatch.setitem(fetch.SOURCES, "toy", fetch.Source("http://makers.example", (archive,)))

    server.offer = offer
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_archive_is_fetched_checked_and_unpacked_once(server, tmp_path):
    body = server.files["people.zip"]
    server.offer(size=len(body), sha256=hashlib.sha256(body).hexdigest())
    heard = []
    assert fetch.fetch("toy", tmp_path / "toy", lambda *news: heard.append(news)) == tmp_path / "toy"
    assert (tmp_path / "toy" / "images" / "im0001.jpg").read_bytes() == BULK
    assert (tmp_path / "toy" / "joints.mat").read_bytes() == b"joints"
    assert heard[-1] == ("people.zip", len(body), len(body)) and [done for _, done, _ in heard] == sorted(done for _, done, _ in heard)
    kept = json.loads((tmp_path / "toy" / fetch.RECEIPT).read_text())["people.zip"]
    assert kept["bytes"] == len(body) and kept["sha256"] == hashlib.sha256(body).hexdigest()
    assert sorted(p.name for p in (tmp_path / "toy").iterdir()) == ["fetched.json", "images", "joints.mat"], "nothing is left over"
    fetch.fetch("toy", tmp_path / "toy")
    assert len(server.asked) == 1


def test_what_breaks_off_is_gone_on_with(server, tmp_path):
    body, server.patience = server.files["people.zip"], 1_300_000
    server.offer()
    fetch.fetch("toy", tmp_path)
    starts = [int(headers.get("Range", "bytes=0-")[6:-1]) for headers in server.asked]
    assert starts[0] == 0 and len(starts) == 3 and 1_200_000 < starts[1] < starts[2] - 1_200_000
    assert (tmp_path / "images" / "im0001.jpg").read_bytes() == BULK
    assert json.loads((tmp_path / fetch.RECEIPT).read_text())["people.zip"]["sha256"] == hashlib.sha256(body).hexdigest()


def test_a_second_call_goes_on_where_the_first_was_stopped(server, tmp_path):
    server.offer()

    def stop(_, done, __):
        if done > 1_500_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.fetch("toy", tmp_path, stop)
    have = (tmp_path / "people.zip.part").stat().st_size
    assert 0 < have < len(server.files["people.zip"])
    fetch.fetch("toy", tmp_path)
    assert server.asked[-1]["Range"] == f"bytes={have}-"
    assert (tmp_path / "images" / "im0001.jpg").read_bytes() == BULK


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(server, tmp_path):
    server.offer()
    (tmp_path / "people.zip.part").write_bytes(b"of another file")
    (tmp_path / "people.zip.part.etag").write_text('"other"')
    fetch.fetch("toy", tmp_path)
    assert (tmp_path / "images" / "im0001.jpg").read_bytes() == BULK


def test_a_part_that_is_already_whole_is_taken(server, tmp_path):
    server.offer()
    body = server.files["people.zip"]
    (tmp_path / "people.zip.part").write_bytes(body)
    (tmp_path / "people.zip.part.etag").write_text(f'"{hashlib.sha256(body).hexdigest()[:8]}"')
    fetch.fetch("toy", tmp_path)
    assert (tmp_path / "joints.mat").exists() and len(server.asked) == 1


def test_tar_archives_are_unpacked_too(server, tmp_path):
    server.offer("people.tar.gz")
    fetch.fetch("toy", tmp_path)
    assert (tmp_path / "images" / "1.jpg").read_bytes() == b"photo"


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("people.zip", {"sha256": "0" * 64}, r"people\.zip: the file that came is not the one expected"),
        ("people.zip", {"size": 17}, r"people\.zip: has [\d,]+ bytes instead of 17"),
        ("absent.zip", {}, r"absent\.zip: answers 404 .*the same command goes on.*makers\.example"),
        ("broken.zip", {}, r"broken\.zip: what came is not a whole archive; it was removed"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(server, tmp_path, name, known, said):
    server.files["broken.zip"] = b"no archive"
    server.offer(name, **known)
    with pytest.raises(PosekitError, match=said) as error:
        fetch.fetch("toy", tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / fetch.RECEIPT).exists()


def test_no_room_and_no_such_data_set(server, tmp_path):
    server.offer(size=10**18)
    with pytest.raises(PosekitError, match=r"people\.zip needs .* GB to be fetched and unpacked, and .* GB are free"):
        fetch.fetch("toy", tmp_path)
    with pytest.raises(PosekitError, match="no data set named 'imagenet' to fetch; there is coco, lsp, lspet, mpii"):
        fetch.fetch("imagenet", tmp_path)
    assert server.asked == []


def test_addresses_are_whole():
    for source in fetch.SOURCES.values():
        assert source.page.startswith("http") and source.archives
        for archive in source.archives:
            assert re.fullmatch(r"https?://[\w./-]+\.(zip|tar\.gz)", archive.url)
            assert archive.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", archive.sha256)
