"""From a recipe to a weights file: where training begins, and what the card says of it."""

import dataclasses
import json
import signal

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image
from planted import RECIPE, people, planted

from posekit import Backend, HourglassConfig, PosekitError, Skeleton, fit, fit_parts
from posekit.data.crops import crops as cut_out
from posekit.data.pictures import Folder
from posekit.engine import weights
from posekit.engine.learning import training
from posekit.engine.learning.checkpoints import differences
from posekit.engine.learning.fitting import recipe_of
from posekit.losses import loss_sum

CONFIG = HourglassConfig.narrow(16, joints=14, depth=2)


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("crops"))


def parameters(path) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(weights.load(path)[0].parameters())


def test_training_begins_with_the_given_weights(crops, tmp_path):
    first = fit(CONFIG, dataclasses.replace(RECIPE, epochs=1), *crops, tmp_path / "first", backend=Backend.plain())
    still = dataclasses.replace(RECIPE, epochs=1, lr=1e-12, seed=5)  # another seed: at random it would begin elsewhere
    second = fit(CONFIG, still, *crops, tmp_path / "second", start=first, backend=Backend.plain())
    (one, _), (two, card) = weights.load(first), weights.load(second)
    for (name, a), b in zip(one.named_parameters(), two.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6), name
    assert card.recipe["start"] == "first" and card.name == "second" and len(card.history) == 1
    assert 0 <= card.metrics["metrics"]["pck@0.2·torso"]["mean"] <= 1
    assert card.data == card.metrics["data"] == "planted@train"


def test_weights_of_another_network_are_refused(crops, tmp_path):
    first = fit(CONFIG, dataclasses.replace(RECIPE, epochs=1), *crops, tmp_path / "first", backend=Backend.plain())
    other = dataclasses.replace(CONFIG, skips=False)
    with pytest.raises(PosekitError, match=r"since its network is another: skips True, not False$"):
        fit(other, RECIPE, *crops, tmp_path / "other", start=first, backend=Backend.plain())
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("name", "said"), [("mine", "is none of coco, lsp, mpii"), ("lsp", "has other joints than posekit's of that name")]
)
def test_joints_that_a_weights_file_cannot_name_are_refused_before_training(crops, tmp_path, name, said):
    """Those of a name of one's own ended in a traceback after the last epoch; a known name's order was taken for the joints'."""
    own = Skeleton(name, crops[0].people.skeleton.joints[::-1])
    mine = [dataclasses.replace(each, people=dataclasses.replace(each.people, skeleton=own)) for each in crops]
    for train in (lambda folder: fit(CONFIG, RECIPE, *mine, folder), lambda folder: fit_parts(*mine, folder, resolution=RECIPE.resolution)):
        with pytest.raises(PosekitError, match=f"weights name their skeleton, and the training people's '{name}' {said}"):
            train(tmp_path / "own")
    assert not (tmp_path / "own").exists()


def test_another_start_is_not_resumed(crops, tmp_path):
    short, plain = dataclasses.replace(RECIPE, epochs=1), {"backend": Backend.plain()}
    one, other = (fit(CONFIG, dataclasses.replace(short, seed=seed), *crops, tmp_path / str(seed), **plain) for seed in (1, 2))
    path = fit(CONFIG, short, *crops, tmp_path / "third", start=one, **plain)
    before = parameters(path)
    for start in (other, None):
        with pytest.raises(PosekitError, match=r"third/last\.pt is of another recipe, network, start or data"):
            fit(CONFIG, short, *crops, tmp_path / "third", start=start, **plain)
    moved = one.rename(one.with_name("elsewhere.safetensors"))  # the same weights under another name are the same start
    assert torch.equal(parameters(fit(CONFIG, short, *crops, tmp_path / "third", start=moved, **plain)), before)
    assert not torch.equal(parameters(fit(CONFIG, short, *crops, tmp_path / "third", start=other, resume=False, **plain)), before)


@pytest.mark.parametrize(("exchanged", "words"), [(range(32), "photographs"), (range(100, 112), "validation photographs")])
def test_photographs_that_were_exchanged_are_not_resumed_on(tmp_path, exchanged, words):
    """Others under the same names, with the same annotations: one training would have seen both."""
    both, read = (range(32), range(100, 112)), people(range(1)).read

    def photographs(numbers, shown=0):
        for number in numbers:
            Image.fromarray(read(str(number + shown))).save(tmp_path / f"{number}.png")
        tables = [dataclasses.replace(table := people(n), names=np.char.add(table.names, ".png"), read=Folder(str(tmp_path))) for n in both]
        return [cut_out(table, 40, tmp_path / "data") for table in tables]

    def go_on(crops, folder, report=None):
        fit(CONFIG, RECIPE, *crops, tmp_path / folder, report=report, backend=Backend.plain())

    def press(figures):
        signal.raise_signal(signal.SIGINT)

    before = photographs([*both[0], *both[1]])
    for folder in ("new", "old"):
        with pytest.raises(KeyboardInterrupt):
            go_on(before, folder, press)
    state = torch.load(tmp_path / "old" / "last.pt", weights_only=True)
    identity = {name: value for name, value in json.loads(state["identity"]).items() if "photographs" not in name}
    torch.save(state | {"identity": json.dumps(identity, sort_keys=True)}, tmp_path / "old" / "last.pt")  # as earlier versions wrote it
    after = photographs(exchanged, 1000)
    with pytest.raises(PosekitError, match=rf"start or data: {words} \(content\) is \w{{12}}, was \w{{12}}; train into another"):
        go_on(after, "new")
    go_on(before, "new")  # as they were, it goes on
    go_on(after, "old")  # and so does what never said


def test_a_change_of_the_recipe_is_told_where_the_network_has_a_setting_of_the_name():
    before, now = (json.dumps({"recipe": {"sigma": sigma}, "config": {"sigma": 1.0}}) for sigma in (1.0, 0.7))
    assert differences(before, now) == "sigma is 0.7, was 1.0" and differences(now, now) == ""


def test_two_processes_do_not_train_into_one_folder(crops, tmp_path):
    (tmp_path / "shared").mkdir()
    with FileLock(tmp_path / "shared" / "training.lock"), pytest.raises(PosekitError, match="shared: another process is training into it"):
        fit(CONFIG, RECIPE, *crops, tmp_path / "shared", backend=Backend.plain())
    fit(CONFIG, dataclasses.replace(RECIPE, epochs=1), *crops, tmp_path / "shared", backend=Backend.plain())
    assert not (tmp_path / "shared" / "training.lock").exists()


def test_a_training_with_a_start_resumes_to_the_same_weights(crops, tmp_path):
    plain = {"backend": Backend.plain()}
    start = fit(CONFIG, dataclasses.replace(RECIPE, epochs=1), *crops, tmp_path / "start", **plain)
    whole = fit(CONFIG, RECIPE, *crops, tmp_path / "whole", start=start, **plain)

    def press(figures):
        if figures["step"] == 6:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(CONFIG, RECIPE, *crops, tmp_path / "twice", start=start, report=press, **plain)
    twice = fit(CONFIG, RECIPE, *crops, tmp_path / "twice", start=start, **plain)
    assert torch.equal(parameters(whole), parameters(twice))


def test_half_of_what_is_learnt_is_the_teachers_answer():
    """The gradient is the mean of those of both cross-entropies; a teacher that says the Gaussian changes nothing."""
    torch.manual_seed(0)
    output = torch.randn(3, 1, 14, 8, 8, requires_grad=True)
    taught = torch.randn(3, 14, 8, 8)
    points = torch.cat([torch.rand(3, 14, 2) * 31, torch.randint(0, 3, (3, 14, 1))], -1)
    gaussians, labelled = training.targets(points, RECIPE.resolution, RECIPE.sigma)

    def gradient(loss):
        return torch.autograd.grad(loss, output, retain_graph=True)[0]

    found, mask = training._loss(output, points, RECIPE, taught)
    to_people = loss_sum(output, gaussians, labelled, "cross-entropy")
    to_teacher = loss_sum(output, taught.flatten(-2).softmax(-1).unflatten(-1, (8, 8)), labelled, "cross-entropy")
    assert torch.equal(mask, labelled)
    assert torch.allclose(gradient(found), (gradient(to_people) + gradient(to_teacher)) / 2, atol=1e-6)
    same, _ = training._loss(output, points, RECIPE, gaussians.clamp_min(1e-30).log())
    assert torch.allclose(gradient(same), gradient(to_people), atol=1e-6)


def test_a_training_with_a_teacher_is_named_and_resumes_to_the_same_weights(crops, tmp_path):
    plain, short = {"backend": Backend.plain()}, dataclasses.replace(RECIPE, epochs=2)
    teachers = [
        fit(dataclasses.replace(CONFIG, stacks=2), dataclasses.replace(RECIPE, epochs=1, seed=seed), *crops, tmp_path / str(seed), **plain)
        for seed in (1, 2)
    ]
    whole = fit(CONFIG, short, *crops, tmp_path / "whole", teacher=teachers[0], **plain)
    assert weights.load(whole)[1].recipe["teacher"] == "1"
    assert recipe_of(weights.load(whole)[1]) == short

    def press(figures):
        if figures["step"] == 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(CONFIG, short, *crops, tmp_path / "twice", teacher=teachers[0], report=press, **plain)
    for other in (teachers[1], None):
        with pytest.raises(PosekitError, match=r"teacher \(fingerprint\) is"):
            fit(CONFIG, short, *crops, tmp_path / "twice", teacher=other, **plain)
    twice = fit(CONFIG, short, *crops, tmp_path / "twice", teacher=teachers[0], **plain)
    assert torch.equal(parameters(whole), parameters(twice))
    assert not torch.equal(parameters(whole), parameters(fit(CONFIG, short, *crops, tmp_path / "alone", **plain)))


def test_what_cannot_teach_is_refused(crops, tmp_path):
    plain, short = {"backend": Backend.plain()}, dataclasses.replace(RECIPE, epochs=1)
    teacher = fit(CONFIG, dataclasses.replace(short, loss="mse", lr=1e-3), *crops, tmp_path / "teacher", **plain)
    with pytest.raises(PosekitError, match=r"teacher/weights\.safetensors: cannot be learnt from: loss mse, not cross-entropy$"):
        fit(CONFIG, short, *crops, tmp_path / "student", teacher=teacher, **plain)
    sound = fit(CONFIG, short, *crops, tmp_path / "sound", **plain)
    with pytest.raises(PosekitError, match=r"resolution 32, not 16$"):
        fit(CONFIG, dataclasses.replace(short, resolution=16), *crops, tmp_path / "student", teacher=sound, **plain)
    with pytest.raises(PosekitError, match="learnt by cross-entropy alone"):
        fit(CONFIG, dataclasses.replace(short, loss="mse"), *crops, tmp_path / "student", teacher=sound, **plain)
    assert not (tmp_path / "student").exists()


@pytest.mark.parametrize("loss, lr", [("cross-entropy", 1e-2), ("mse", 5e-3)])
def test_history_and_card_name_the_same_number(crops, tmp_path, loss, lr):
    """Both are the share of all labelled joints found, decoded in the same way."""
    recipe = dataclasses.replace(RECIPE, epochs=6, loss=loss, lr=lr)
    card = weights.load(fit(CONFIG, recipe, *crops, tmp_path, backend=Backend.plain()))[1]
    best = card.history[card.metrics["epoch"] - 1]
    assert best["pck"] == pytest.approx(card.metrics["metrics"]["pck@0.2·torso"]["mean"], abs=1e-12) and best["pck"] > 0


def test_lists_in_a_configuration_are_trained_and_kept(crops, tmp_path):
    config = HourglassConfig(joints=14, features=16, depth=2, stem=[4, 8, 8], skips=[1])
    network, _ = weights.load(fit(config, dataclasses.replace(RECIPE, epochs=1), *crops, tmp_path, backend=Backend.plain()))
    assert network.config == config and config.skip_levels == (1,)
