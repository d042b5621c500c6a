import errno
import json
import math
import re
import signal

import pytest
import torch
from planted import RECIPE, people, planted

from posekit.data.augment import Augmentation
from posekit.data.crops import crops as cut_out
from posekit.engine.backend import Backend
from posekit.engine.learning import checkpoints, training
from posekit.engine.learning.fitting import fit
from posekit.engine.learning.training import Recipe, train
from posekit.errors import PosekitError
from posekit.models.hourglass import Hourglass, HourglassConfig

CONFIG = HourglassConfig.narrow(16, joints=14, depth=2)
PER_EPOCH = 4  # steps: 32 people in batches of 8


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("crops"))


def network(config=CONFIG) -> Hourglass:
    torch.manual_seed(1)
    return Hourglass(config)


def run(crops, folder, recipe=RECIPE, model=None, **options):
    """The trained model and the best epoch's figures."""
    model = model or network()
    return model, train(model, *crops, recipe, folder, backend=Backend.plain(), **options)


def read(folder):
    """All that training leaves, less the time that it took."""
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    last, best = (torch.load(folder / name, weights_only=True) for name in ("last.pt", "best.pt"))
    for figures in (*history, last, last["best"]):
        figures.pop("seconds")
    return {"history": history, "last": last, "best": best}


def same(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def interrupting(step):
    """A report that presses Ctrl-C after `step`."""
    return lambda figures: signal.raise_signal(signal.SIGINT) if figures["step"] == step else None


# Before training, PCK@0.2.torso is about 0.06. Mean-squared error is slow to leave the map of zeros.
@pytest.mark.parametrize("loss, lr, reached, left", [("cross-entropy", 1e-2, 0.4, 0.6), ("mse", 5e-3, 0.11, 0.9)])
def test_a_planted_task_is_learnt(crops, tmp_path, loss, lr, reached, left):
    heard, epochs, per_epoch = [], 20, 8
    changes = {"loss": loss, "epochs": epochs, "batch": 4, "lr": lr, "average": 0.8}
    recipe = Recipe(**{**vars(RECIPE), **changes})
    model = network(HourglassConfig.narrow(32, joints=14, depth=2))
    model, best = run(crops, tmp_path, recipe, model, report=heard.append)
    history = read(tmp_path)["history"]
    assert best["pck"] >= reached and best["pck"] == max(line["pck"] for line in history)
    assert history[-1]["loss"] < left * history[0]["loss"]
    assert [line["epoch"] for line in history] == list(range(1, epochs + 1))
    steps = [figures for figures in heard if "validated" not in figures]
    assert [figures["step"] for figures in steps] == list(range(1, epochs * per_epoch + 1))
    assert len(heard) == epochs * (per_epoch + 1)
    assert all(0 <= figures["peak"] < 2 for figures in steps)
    # The model is left with the weights of the best epoch, in eval mode.
    assert not model.training and same(dict(model.state_dict()), dict(torch.load(tmp_path / "best.pt", weights_only=True)))
    assert list((tmp_path / "tensorboard").iterdir())


@pytest.fixture(scope="module", params=["adamw", "rmsprop"])
def whole(request, crops, tmp_path_factory):
    """A recipe, and what its training without a stop leaves."""
    folder = tmp_path_factory.mktemp("whole")
    recipe = Recipe(**{**vars(RECIPE), "optimiser": request.param, "lr": 3e-3})
    model, best = run(crops, folder, recipe)
    return recipe, read(folder), dict(model.state_dict()), best


# In the first epoch; in a later one; on an epoch's last step; on the last step of all; several times.
@pytest.mark.parametrize("stops", [[2], [6], [4], [12], [1, 3, 4, 7, 12]])
def test_resuming_ends_in_the_same_weights_bit_for_bit(crops, tmp_path, whole, stops):
    recipe, expected, weights, best = whole
    for stop in stops:
        with pytest.raises(KeyboardInterrupt):
            run(crops, tmp_path, recipe, resume=True, report=interrupting(stop))
    model, found = run(crops, tmp_path, recipe, resume=True, model=network(CONFIG))
    assert same(dict(model.state_dict()), weights)
    assert same(read(tmp_path), expected)
    assert found["pck"] == best["pck"] and found["epoch"] == best["epoch"]


def test_the_weights_that_come_back_are_those_that_were_validated(crops, tmp_path):
    """The running mean, which after so few steps is far from the weights themselves."""
    recipe = Recipe(**{**vars(RECIPE), "average": 0.99})
    model, best = run(crops, tmp_path, recipe)
    again = training._validate(model, None, crops[1], recipe, Backend.plain())
    assert again == {name: best[name] for name in again}
    # The network itself, as it was when training ended, is another.
    model.load_state_dict(torch.load(tmp_path / "last.pt", weights_only=True)["model"])
    assert training._validate(model, None, crops[1], recipe, Backend.plain()) != again


class Noisy(Hourglass):
    """Hears what each step of training sees, and would draw next by chance."""

    def forward(self, x):
        if self.training:
            self.seen.append(x.clone())
            self.drawn.append(torch.rand(8, generator=torch.Generator().set_state(torch.get_rng_state())).tolist())
        return super().forward(x)


def noisy() -> Noisy:
    torch.manual_seed(1)
    model = Noisy(CONFIG)
    model.seen, model.drawn = [], []
    return model


def test_each_step_changes_the_same_crop_in_another_way(crops, tmp_path):
    twice = crops[0].select([3, 3])  # in steps of one: two steps an epoch, of one person alone
    model, _ = run((twice, crops[1]), tmp_path, Recipe(**{**vars(RECIPE), "epochs": 2, "batch": 1}), noisy())
    assert len(model.seen) == 4
    assert all(not torch.equal(a, b) for i, a in enumerate(model.seen) for b in model.seen[:i])


def test_noise_in_the_network_is_not_drawn_by_the_seeds_of_augmentation(crops, tmp_path, monkeypatch):
    augmented, augment = [], training.augment

    def listening(*args):
        augmented.append(torch.rand(8, generator=torch.Generator().set_state(args[5].get_state())).tolist())
        return augment(*args)

    monkeypatch.setattr(training, "augment", listening)
    model, _ = run(crops, tmp_path, model=noisy())
    draws = [tuple(values) for values in (*augmented, *model.drawn)]
    assert len(draws) == len(set(draws)) == 2 * PER_EPOCH * RECIPE.epochs


def test_resuming_does_not_depend_on_the_network_that_is_passed(crops, tmp_path, whole):
    recipe, expected, _, _ = whole
    with pytest.raises(KeyboardInterrupt):
        run(crops, tmp_path, recipe, report=interrupting(6))
    torch.manual_seed(99)
    run(crops, tmp_path, recipe, resume=True, model=Hourglass(CONFIG))
    assert same(read(tmp_path), expected)


def test_resuming_a_finished_training_only_loads_it(crops, tmp_path, whole):
    recipe, expected, weights, _ = whole
    run(crops, tmp_path, recipe)
    model, _ = run(crops, tmp_path, recipe, resume=True, report=pytest.fail)
    assert same(dict(model.state_dict()), weights) and same(read(tmp_path), expected)


def test_a_kill_between_two_files_is_made_good(crops, tmp_path, whole, monkeypatch):
    """Killed after the second epoch's line and its weights, where they are the best, before the checkpoint: done again."""
    recipe, expected, _, _ = whole
    with pytest.raises(KeyboardInterrupt):
        run(crops, tmp_path, recipe, report=interrupting(6))
    write = checkpoints.write

    def killed(path, state):
        if path.name == "last.pt" and state["step"] == 2 * PER_EPOCH:
            raise SystemExit
        write(path, state)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(checkpoints, "write", killed)
        run(crops, tmp_path, recipe, resume=True)
    assert [json.loads(line)["epoch"] for line in (tmp_path / "history.jsonl").read_text().splitlines()] == [1, 2]
    with open(tmp_path / "history.jsonl", "a") as history:
        history.write('{"epoch": 3, "st')
    run(crops, tmp_path, recipe, resume=True)
    assert same(read(tmp_path), expected)


def test_without_resume_training_starts_anew(crops, tmp_path, whole):
    recipe, expected, _, _ = whole
    with pytest.raises(KeyboardInterrupt):
        run(crops, tmp_path, recipe, report=interrupting(6))
    run(crops, tmp_path, recipe)
    assert same(read(tmp_path), expected)


def test_another_training_is_not_resumed(crops, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(crops, tmp_path, report=interrupting(1))
    people, validation = crops

    def other(**changes):
        return Recipe(**{**vars(RECIPE), **changes})

    others = [
        (crops, other(lr=1e-3), network(), f"lr is 0.001, was {RECIPE.lr}"),
        (crops, other(epochs=7), network(), f"epochs is 7, was {RECIPE.epochs} \\(more epochs are another training,.*"),
        (crops, other(batch=4, seed=5), network(), f"batch is 4, was {RECIPE.batch}; seed is 5, was {RECIPE.seed}"),
        (crops, other(augmentation=Augmentation(flip=0.1)), network(), r"augmentation.*"),
        ((people.select(slice(8, 32)), validation), RECIPE, network(), r"people \(fingerprint\) is \w{12}, was \w{12}"),
        ((people, validation.select(slice(0, 6))), RECIPE, network(), r"validation people \(fingerprint\) is \w{12}, was \w{12}"),
        (crops, RECIPE, network(HourglassConfig.narrow(16, joints=14, depth=2, stacks=2)), "stacks is 2, was 1"),
    ]
    for data, recipe, model, differs in others:
        with pytest.raises(PosekitError, match=rf"last\.pt is of another recipe, network, start or data: {differs}; train into another"):
            run(data, tmp_path, recipe, model, resume=True)
    with pytest.raises(PosekitError, match=r"start \(fingerprint\) is of another, was None; .* or with resume=False$"):
        run(crops, tmp_path, resume=True, start="of another")


def test_what_does_not_go_together_is_refused_before_anything_is_written(crops, tmp_path):
    few, judges = crops
    small = cut_out(people(range(4)), 30, tmp_path / "cache")
    cases = [
        ({"epochs": 0}, {}, "epochs is 0; it must be a whole number from 1"),
        ({"batch": 0}, {}, "batch is 0; it must be a whole number from 1"),
        ({"batch": 2.5}, {}, "batch is 2.5; it must be a whole number"),
        ({"seed": 20261129133119}, {}, "seed is 20261129133119; it must be a whole number from 0 to 9000000000000"),
        ({"resolution": 40}, {}, "resolution is 40; for this hourglass it must be a multiple of 16"),
        ({"loss": "huber"}, {}, "loss 'huber': hourglass cannot be trained by it; give cross-entropy or mse"),
        ({"optimiser": "sgd"}, {}, "optimiser 'sgd' is not known; give adamw or rmsprop"),
        ({}, {"training": few.people}, "training is a People; give crops: posekit.crops(people, 40)"),
        ({}, {"validation": "planted@val"}, "validation is a str; give crops"),
        ({}, {"training": few.select(slice(0))}, "training is empty"),
        ({}, {"validation": judges.select(slice(0))}, "validation is empty"),
        ({}, {"validation": small}, "validation has crops of 30 px, too small for resolution 32; cut them at 40 px"),
        ({}, {"config": HourglassConfig.narrow(16, joints=16, depth=2)}, "16 joints, the lsp skeleton has 14: give joints=14"),
        ({}, {"config": HourglassConfig.narrow(16, joints=14, depth=2, squeeze="linear", code_side=3)}, "it must be 2"),
        ({}, {"config": "hourglass"}, "config is a str, which describes no network; give a HourglassConfig"),
        ({}, {"recipe": vars(RECIPE)}, "recipe is a dict; give a posekit.Recipe"),
    ]
    for changes, other, message in cases:
        given = {"config": CONFIG, "training": few, "validation": judges, "recipe": Recipe(**{**vars(RECIPE), **changes})} | other
        for door in (fit, lambda config, **rest: train(Told(config), **rest)):
            with pytest.raises(PosekitError, match=re.escape(message)) as told:
                door(**given, folder=tmp_path / "run")
            assert "\n" not in str(told.value)
        assert not (tmp_path / "run").exists(), message


class Told(torch.nn.Module):
    """A network of which only the configuration matters."""

    def __init__(self, config):
        super().__init__()
        self.config = config


def test_a_damaged_checkpoint(crops, tmp_path):
    (tmp_path / "last.pt").write_bytes(b"PK nonsense")
    with pytest.raises(PosekitError, match=r"last\.pt: damaged; train into another folder \(--out\) or with resume=False$"):
        run(crops, tmp_path, resume=True)


def test_a_finished_training_without_its_best_weights(crops, tmp_path):
    run(crops, tmp_path)
    (tmp_path / "best.pt").unlink()
    with pytest.raises(PosekitError, match=r"best\.pt: the best epoch's weights are gone; train into another folder \(--out\)"):
        run(crops, tmp_path, resume=True)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(crops, tmp_path):
    model = network()

    def spoil(figures):
        if figures["step"] == 6:
            with torch.no_grad():
                model.stem.conv.weight[0, 0, 0, 0] = math.inf

    with pytest.raises(PosekitError, match=r"step 7: the loss is nan .*lower the learning rate .*the last epoch's weights are kept"):
        run(crops, tmp_path, model=model, report=spoil)
    kept = read(tmp_path)
    assert kept["last"]["step"] == PER_EPOCH and len(kept["history"]) == 1
    assert all(value.isfinite().all() for value in kept["last"]["model"].values())
    run(crops, tmp_path, resume=True)  # goes on from there
    assert len(read(tmp_path)["history"]) == RECIPE.epochs


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("PytorchStreamWriter failed writing file"),
    ],
)
def test_a_full_disk_keeps_the_checkpoint_before(crops, tmp_path, monkeypatch, error):
    save, calls = torch.save, []

    def full(state, path):
        calls.append(path)
        if len(calls) > 2:  # best and last of the first epoch
            path.write_bytes(b"half")
            raise error
        save(state, path)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(PosekitError, match=r"\.pt: could not be written: .*free some room and go on with resume=True \(--resume\)") as told:
        run(crops, tmp_path)
    assert "\n" not in str(told.value)
    monkeypatch.undo()
    assert not list(tmp_path.glob("*.tmp"))
    run(crops, tmp_path, resume=True)
    assert [line["epoch"] for line in read(tmp_path)["history"]] == [1, 2, 3]


def test_a_folder_that_cannot_be_made(crops, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PosekitError, match="could not be written"):
        run(crops, tmp_path / "file" / "folder")


def test_the_learning_rate_rises_on_a_line_and_falls_on_a_cosine():
    recipe, steps = Recipe(lr=2.0, warm_up=0.1), 1010
    rate = [recipe.lr_at(step, steps) for step in range(steps)]
    warm = 101
    assert rate[0] == pytest.approx(2 / warm) and rate[warm - 1] == rate[warm] == pytest.approx(2)
    assert rate[50] == pytest.approx(2 * 51 / warm)
    for step in (warm, 300, 555, 800, 1009):
        assert rate[step] == pytest.approx(2 * math.cos(math.pi / 2 * (step - warm) / (steps - warm)) ** 2)
    assert rate[warm:] == sorted(rate[warm:], reverse=True) and 0 < rate[-1] < 1e-5
    assert Recipe(lr=2.0, warm_up=0).lr_at(0, 10) == 2
    assert Recipe(lr=2.0).lr_at(0, 1) == 2


def test_the_running_mean_of_the_weights():
    model, decay = torch.nn.BatchNorm1d(1), 0.9
    average = {name: value.clone() for name, value in model.state_dict().items()}
    values = torch.randn(20, dtype=torch.float64).tolist()
    for i, value in enumerate(values):  # past step 80 the mean is the plain exponential one
        model.weight.data.fill_(value)
        model.num_batches_tracked += 1
        training._average(average, model, decay, 80 + i)
    closed = decay**20 * 1.0 + sum((1 - decay) * decay ** (19 - i) * value for i, value in enumerate(values))
    assert average["weight"].item() == pytest.approx(closed, abs=1e-6)
    assert average["num_batches_tracked"] == 20
    training._average(average, model, decay, 0)  # the first steps follow closely
    assert average["weight"].item() == pytest.approx(0.1 * closed + 0.9 * values[-1], abs=1e-6)


def test_validation_runs_in_eval_mode_and_changes_nothing(crops):
    model = network().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    average = {n: v + 0.1 if v.is_floating_point() else v.clone() for n, v in before.items()}
    modes = []
    model.stack0.register_forward_pre_hook(lambda module, _: modes.append(module.training))
    mine = training._validate(model, None, crops[1], RECIPE, Backend.plain())
    averaged = training._validate(model, average, crops[1], RECIPE, Backend.plain())
    assert modes and not any(modes)
    assert same(dict(model.state_dict()), before)
    model.load_state_dict(average)
    assert training._validate(model, None, crops[1], RECIPE, Backend.plain()) == averaged != mine


def test_biases_and_scales_are_not_decayed():
    for name in ("adamw", "rmsprop"):
        decayed, plain = training._optimiser(network(), Recipe(optimiser=name, weight_decay=0.1)).param_groups
        assert decayed["weight_decay"] == 0.1 and all(p.ndim == 4 for p in decayed["params"])
        assert plain["weight_decay"] == 0 and all(p.ndim == 1 for p in plain["params"])
