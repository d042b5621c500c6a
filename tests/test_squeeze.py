"""The bottleneck's squeeze: shapes, what starts as what, and where its code is."""

import json

import pytest
import torch

from posekit.errors import PosekitError
from posekit.hooks import trace
from posekit.interpret.activations.codes import code_hook_point
from posekit.models.hourglass import Hourglass, HourglassConfig
from posekit.models.squeeze import Autoencoder, Linear, Noise


def test_the_autoencoder_has_the_studys_layers():
    """256 to 192, 128 and 64 channels on 4 x 4 cells, 50 numbers, and back: counted by hand."""
    autoencoder = Autoencoder(features=256, side=4, dimensions=50)
    pairs = [(256, 192), (192, 128), (128, 64)]
    down = sum(9 * a * b + b for a, b in pairs) + 64 * 16 * 50 + 50
    up = sum(9 * a * b + a for a, b in pairs) + 50 * 64 * 16 + 64 * 16
    assert sum(p.numel() for p in autoencoder.parameters()) == down + up
    code = torch.randn(3, 256, 4, 4)
    assert autoencoder.encoder(code).shape == (3, 50)
    assert autoencoder(code).shape == code.shape


def test_linear_started_from_all_directions_is_the_identity():
    linear = Linear(features=6, side=2, dimensions=24)
    directions, _ = torch.linalg.qr(torch.randn(24, 24))
    linear.start(directions.T, mean=torch.randn(24))
    code = torch.randn(5, 6, 2, 2)
    torch.testing.assert_close(linear(code), code, atol=1e-5, rtol=0)


def test_linear_started_from_some_directions_is_their_projection():
    linear = Linear(features=6, side=2, dimensions=3)
    directions, mean = torch.linalg.qr(torch.randn(24, 3))[0].T, torch.randn(24)
    linear.start(directions, mean)
    code = torch.randn(5, 24)
    expected = mean + (code - mean) @ directions.T @ directions
    torch.testing.assert_close(linear(code.view(5, 6, 2, 2)).flatten(1), expected, atol=1e-5, rtol=0)


def test_noise_is_in_proportion_and_only_in_training():
    noise, x = Noise(0.1), torch.tensor([[0.0, 1.0, -100.0]]).repeat(20_000, 1)
    spread = (noise.train()(x) - x).std(0)
    assert spread[0] == 0
    assert spread[1:].tolist() == pytest.approx([0.1, 10.0], rel=0.05)
    assert noise.eval()(x) is x


@pytest.mark.parametrize("squeeze", ["autoencoder", "linear"])
def test_a_squeezed_network_trains_and_is_traced(squeeze):
    config = HourglassConfig.narrow(16, joints=5, depth=2, stacks=2, squeeze=squeeze, dimensions=7, code_side=2, code_noise=0.1)
    model = Hourglass(HourglassConfig.from_dict(json.loads(json.dumps(config.to_dict()))))
    model(torch.rand(2, 3, 32, 32)).square().sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    assert (code_hook_point(model), code_hook_point(model, 0)) == ("stack1.squeeze", "stack0.bottleneck1")
    with trace(model.eval(), ["stack1.squeeze"]) as activations, torch.no_grad():
        model(torch.rand(2, 3, 32, 32))
    code = activations["stack1.squeeze"].flatten(1)
    assert code.shape == (2, 16 * 2 * 2)


def test_a_squeeze_without_its_side_or_of_no_known_kind_is_refused():
    with pytest.raises(ValueError, match="needs code_side"):
        HourglassConfig(squeeze="linear")
    with pytest.raises(ValueError, match="no squeeze 'cubic'; there are autoencoder, linear"):
        Hourglass(HourglassConfig.narrow(16, squeeze="cubic", code_side=2))


@pytest.mark.parametrize("squeeze", ["autoencoder", "linear"])
@pytest.mark.parametrize("size", [(64, 64), (32, 64), (16, 16)])
def test_a_picture_of_another_size_is_refused_in_a_line(squeeze, size):
    model = Hourglass(HourglassConfig.narrow(16, joints=5, depth=2, squeeze=squeeze, dimensions=7, code_side=2))
    with pytest.raises(PosekitError, match=rf"codes of 2 x 2 cells, so it takes pictures of 32 x 32 pixels, not {size[1]} x {size[0]}"):
        model(torch.rand(1, 3, *size))
