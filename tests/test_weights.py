import errno
import io
import json
import os
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

from posekit.engine import weights
from posekit.engine.weights import Card, load, save, shipped
from posekit.errors import PosekitError
from posekit.models.hourglass import Hourglass, HourglassConfig

TINY = HourglassConfig.narrow(16, joints=14, depth=2)


def card(**changes) -> Card:
    return Card(
        **{
            "name": "tiny",
            "config": TINY.to_dict(),
            "skeleton": "lsp",
            "resolution": 64,
            "loss": "mse",
            **changes,
        }
    )


@pytest.fixture
def model() -> Hourglass:
    torch.manual_seed(0)
    model = Hourglass(TINY)
    for name, buffer in model.named_buffers():
        if name.endswith(("mean", "var")):
            buffer.uniform_(0.5, 2)
    return model.eval()


@pytest.fixture
def file(tmp_path, model) -> Path:
    save(tmp_path / "tiny.safetensors", model, card())
    return tmp_path / "tiny.safetensors"


def rewrite(file: Path, change) -> None:
    """Let `change` alter the file's tensors and metadata; the checksum is made right for them."""
    data = file.read_bytes()
    tensors = safetensors.torch.load(data)
    metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    change(tensors, metadata)
    if "sha256" in metadata and "card" in metadata:
        metadata["sha256"] = weights._checksum(metadata["card"], tensors)
    file.write_bytes(safetensors.torch.save(tensors, metadata))


def one_line(file: Path, *words: str) -> None:
    with pytest.raises(PosekitError) as error:
        load(file)
    text = str(error.value)
    assert "\n" not in text and str(file) in text
    for word in words:
        assert word in text


def test_the_network_and_its_card_come_back_the_same(file, model):
    written = card(metrics={"pck": 0.5}, history=[{"epoch": 1}], seed=3, note="für Forschung", input_mean=(0.1, 0.2, 0.3))
    save(file, model, written)
    found, read = load(file)
    assert read == Card.from_dict(json.loads(json.dumps(written.to_dict())))
    assert read.metrics == {"pck": 0.5} and read.note == "für Forschung" and read.input_mean == (0.1, 0.2, 0.3)
    assert read.versions["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert not found.training and found.config == TINY
    picture = torch.rand(1, 3, 64, 64)
    assert torch.equal(found(picture), model(picture))
    assert all(p.requires_grad for p in found.parameters())


def test_half_stores_kernels_in_float16_and_gives_float32_back(tmp_path, model):
    save(tmp_path / "whole.safetensors", model, card())
    save(tmp_path / "half.safetensors", model, card(), half=True)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.75 * (tmp_path / "whole.safetensors").stat().st_size
    found, _ = load(tmp_path / "half.safetensors")
    assert {p.dtype for p in found.parameters()} == {torch.float32}
    picture = torch.rand(1, 3, 64, 64)
    assert torch.allclose(found(picture), model(picture), atol=1e-2)


def test_channels_last_weights_are_stored_contiguously(tmp_path, model):
    before = model(torch.ones(1, 3, 32, 32))
    save(tmp_path / "a.safetensors", model.to(memory_format=torch.channels_last), card())
    assert torch.allclose(load(tmp_path / "a.safetensors")[0](torch.ones(1, 3, 32, 32)), before, atol=1e-5)


def test_a_run_folder_stands_for_its_weights(tmp_path, model):
    save(tmp_path / "run" / "weights.safetensors", model, card())
    assert load(tmp_path / "run")[1].name == "tiny"


def test_shipped_names_work_from_any_folder(file, model, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "SHIPPED", file.parent)
    monkeypatch.chdir("/")
    assert shipped() == ["tiny"]
    assert load("tiny")[1].name == "tiny"
    with pytest.raises(PosekitError, match="no weights named 'tyni'; shipped by name: tiny"):
        load("tyni")
    with pytest.raises(PosekitError, match=r"missing\.safetensors: no such weights file; shipped by name: tiny"):
        load("missing.safetensors")


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_file_loads_small_and_without_a_path_of_its_maker(name):
    model, card = load(name)
    assert (weights.SHIPPED / f"{name}.safetensors").stat().st_size < 8e6
    assert card.note and card.recipe and card.history and card.metrics
    assert "/" not in card.data + card.metrics.get("data", "")
    side = model.config.multiple
    assert model(torch.zeros(1, 3, side, side)).isfinite().all()


def test_a_card_of_another_network_is_refused(tmp_path, model):
    with pytest.raises(ValueError, match="is not the network's"):
        save(
            tmp_path / "a.safetensors",
            model,
            card(config=HourglassConfig.narrow(32, joints=14, depth=2).to_dict()),
        )
    with pytest.raises(ValueError, match="the mpii skeleton has 16"):
        save(tmp_path / "a.safetensors", model, card(skeleton="mpii"))
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_finite_are_not_written(tmp_path, model):
    with torch.no_grad():
        model.stem.conv.bias[0] = torch.nan
    with pytest.raises(PosekitError, match=r"stem\.conv\.bias has values that are not finite"):
        save(tmp_path / "a.safetensors", model, card())
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_file_that_was_there(file, model, monkeypatch):
    before = file.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PosekitError, match="the disk is full: free some room"):
        save(file, model, card(name="other"))
    assert file.read_bytes() == before and list(file.parent.iterdir()) == [file]


def test_a_folder_that_cannot_be_made(file, model):
    with pytest.raises(PosekitError, match="could not be written"):
        save(file / "inside-a-file" / "a.safetensors", model, card())


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def foreign() -> dict[str, bytes]:
    checkpoint = io.BytesIO()
    torch.save({"weight": torch.zeros(3)}, checkpoint)
    return {
        "empty": b"",
        "text": b"not weights\n" * 9,
        "pickle": pickle.dumps(Bomb()),
        "torch": checkpoint.getvalue(),
        "zeros": bytes(64),
    }


@pytest.mark.parametrize("kind", foreign())
def test_foreign_files(tmp_path, kind):
    (tmp_path / "a.safetensors").write_bytes(foreign()[kind])
    one_line(tmp_path / "a.safetensors", "damaged, or not a weights file", "posekit convert")


def test_a_truncated_file(file):
    file.write_bytes(file.read_bytes()[:-100])
    one_line(file, "damaged")


@pytest.mark.parametrize("where", [0.001, 0.02, 0.3, 0.999])  # in the header's length, in the header, in the tensors
def test_one_flipped_bit(file, where):
    data = bytearray(file.read_bytes())
    data[int(len(data) * where)] ^= 4
    file.write_bytes(data)
    one_line(file, "get a fresh copy")


def test_a_changed_card(file):
    data = file.read_bytes()
    file.write_bytes(data.replace(b'\\"resolution\\": 64', b'\\"resolution\\": 96'))
    assert file.read_bytes() != data
    one_line(file, "checksum")


def test_safetensors_of_another_program(file):
    safetensors.torch.save_file({"weight": torch.zeros(3)}, file)
    one_line(file, "without posekit's card")


def test_nan_in_the_file(file):
    rewrite(file, lambda tensors, _: tensors["stem.conv.weight"].view(-1)[5:6].fill_(torch.nan))
    one_line(file, "stem.conv.weight", "not finite")


def test_a_missing_tensor(file):
    rewrite(file, lambda tensors, _: tensors.pop("stem.conv.bias"))
    one_line(file, "lacks stem.conv.bias")


def test_a_tensor_too_many(file):
    rewrite(file, lambda tensors, _: tensors.update(extra=torch.zeros(1)))
    one_line(file, "unexpected extra")


def test_a_wrong_shape(file):
    rewrite(file, lambda tensors, _: tensors.update({"stem.conv.bias": torch.zeros(5)}))
    one_line(file, "stem.conv.bias is float32 5 and should be float32 4")


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "transformer"},
        {"loss": "hinge"},
        {"skeleton": "octopus"},
        {"config": {"joints": 14}},
        {"config": None},
        {"input_mean": [1, 2]},
        {"config": TINY.to_dict() | {"wings": 2}},
    ],
)
def test_a_card_that_makes_no_sense(file, change):
    def alter(_, metadata):
        metadata["card"] = json.dumps(json.loads(metadata["card"]) | change)

    rewrite(file, alter)
    one_line(file, "card makes no sense")


def test_a_card_without_a_needed_entry(file):
    rewrite(file, lambda _, metadata: metadata.update(card=json.dumps({"name": "a"})))
    one_line(file, "card makes no sense")


def test_a_card_of_a_newer_version_may_say_more(file):
    rewrite(file, lambda _, m: m.update(card=json.dumps(json.loads(m["card"]) | {"invented_later": 1})))
    assert load(file)[1].name == "tiny"
