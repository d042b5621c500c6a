"""The slider's page holds each step's picture in place, says what each is, and asks nothing of the network."""

import base64
import io
import re

import numpy as np
from PIL import Image

from posekit.plots.codes.slider import slider, strip
from posekit.skeleton import LSP

SIDE = 16


def test_a_strip_has_each_step_in_place():
    steps, joints = 5, len(LSP)
    nobody = np.full((joints, 3), np.nan)
    nobody[:, 2] = 0
    people = [(np.full((32, 32, 3), 40 * step, np.uint8), nobody) for step in range(steps)]
    heat = np.zeros((steps, joints, 8, 8), np.float32)
    heat[2, 0, :4] = 1  # upper half, in the third step only
    pictures = strip(people, [(heat, np.tile(nobody, (steps, 1, 1)))], LSP, side=SIDE)
    assert pictures.shape == (steps, SIDE, 2 * SIDE + 2, 3)
    for step, picture in enumerate(pictures):
        assert (picture[:, :SIDE] == 40 * step).all()
    answers = pictures[:, :, SIDE + 2 :]
    assert answers[2, : SIDE // 2 - 2].max() > 100 and answers[2, SIDE // 2 + 2 :].max() < 10
    assert answers[[0, 1, 3, 4]].max() == 0


def test_the_page_is_whole_and_offline():
    walks = {"component 1 <up>": np.zeros((3, 8, 16, 3), np.uint8), "component 2": np.full((3, 8, 16, 3), 255, np.uint8)}
    notes = {name: [f"{name} {step}" for step in range(3)] for name in walks}
    page = slider(walks, ["−1 sd", "the mean", "+1 sd"], notes, ["nearest", "answer"])
    assert not re.search(r"(src|href)\s*=", page) and "http" not in page and "@" not in page
    assert "<option>component 1 &lt;up&gt;</option>" in page
    assert 'max="2" value="1"' in page and "background-size: 100% 300%" in page
    assert {*re.findall(r'<label for="([\w-]+)"', page)} <= {*re.findall(r'id="([\w-]+)"', page)}
    found = re.findall(r'"data:image/webp;base64,([\w+/=]+)"', page)
    means = [np.asarray(Image.open(io.BytesIO(base64.b64decode(strip)))).mean() for strip in found]
    assert np.allclose(means, [0, 255], atol=2)
