"""TransPose: attention that can be read, positions that tell cells apart."""

import pytest
import torch

from posekit import HourglassConfig, PosekitError
from posekit.models.hourglass import Hourglass
from posekit.models.transpose import Layer, TransPose, TransPoseConfig, attention, dependencies, sine_positions

CONFIG = TransPoseConfig(joints=5, features=16, layers=3, heads=2, hidden=16)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return TransPose(CONFIG).eval()


def test_attention_is_a_distribution_over_the_cells(model):
    found = attention(model, torch.rand(2, 3, 32, 32))
    assert found.shape == (2, 3, 64, 64)
    assert (found >= 0).all() and torch.allclose(found.sum(-1), torch.ones(2, 3, 64), atol=1e-5)


def test_reading_attention_changes_nothing(model):
    pictures = torch.rand(2, 3, 32, 32)
    before = model(pictures)
    attention(model, pictures)
    assert torch.equal(model(pictures), before)


def test_a_joint_depends_on_what_its_cell_attends_to(model):
    pictures = torch.rand(2, 3, 32, 32)
    cells = torch.tensor([[[3, 1], [0, 0]], [[7, 7], [2, 5]]])
    found = dependencies(model, pictures, cells)
    assert found.shape == (2, 2, 8, 8)
    last = attention(model, pictures)[:, -1]
    assert torch.equal(found[0, 0].flatten(), last[0, 1 * 8 + 3]) and torch.equal(found[1, 1].flatten(), last[1, 5 * 8 + 2])


def test_a_layer_equals_torchs_own():
    """The encoder layer against torch.nn.TransformerEncoderLayer, where positions are zero."""
    torch.manual_seed(0)
    ours = Layer(CONFIG).eval()
    theirs = torch.nn.TransformerEncoderLayer(16, 2, 16, dropout=0.0, batch_first=True).eval()
    with torch.no_grad():
        theirs.self_attn.in_proj_weight.copy_(torch.cat([ours.queries.weight, ours.keys.weight, ours.values.weight]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([ours.queries.bias, ours.keys.bias, ours.values.bias]))
        theirs.self_attn.out_proj.load_state_dict(ours.out.state_dict())
        theirs.linear1.load_state_dict(ours.forth.state_dict())
        theirs.linear2.load_state_dict(ours.back.state_dict())
        theirs.norm1.load_state_dict(ours.norm1.state_dict())
        theirs.norm2.load_state_dict(ours.norm2.state_dict())
        tokens = torch.randn(2, 10, 16)
        assert torch.allclose(ours(tokens, torch.zeros(10, 16))[0], theirs(tokens), atol=1e-5)


def test_positions_tell_cells_apart_and_near_ones_are_alike():
    codes = sine_positions(6, 8, 16)
    assert codes.shape == (48, 16)
    distance = torch.cdist(codes, codes) + 9 * torch.eye(48)
    assert distance.min() > 0.1
    assert distance[0, 1] < distance[0, 3] and distance[0, 8] < distance[0, 24]
    assert torch.equal(sine_positions(6, 8, 16).unflatten(0, (6, 8))[0, :, 8:], sine_positions(2, 8, 16).unflatten(0, (2, 8))[1, :, 8:])


def test_others_have_no_attention():
    with pytest.raises(PosekitError, match="a Hourglass has no attention to show; give a network of the architecture transpose"):
        attention(Hourglass(HourglassConfig.narrow(16, joints=5, depth=2)), torch.rand(1, 3, 32, 32))
