"""Results of studies are kept beyond a change of the renderer's code, as long as the pictures stay the same."""

from dataclasses import replace

import numpy as np

import posekit
from posekit.data import rendered
from posekit.studies import execute
from posekit.studies.job import fingerprints

# Of eight mannequins: the mean of each picture, of the joints' places, and the sum of their flags.
LIGHT = [106.2, 60.6, 59.5, 97.0, 94.4, 90.9, 179.3, 100.4]
PLACES = [22.4, 24.0, 19.7, 24.2, 26.4, 26.5, 24.5, 19.0]
FLAGS = [28, 33, 34, 28, 27, 32, 33, 31]


def test_the_pictures_are_those_of_their_version():
    """Where this fails since mannequins look otherwise, `rendered.PICTURES` takes a new value, and studies are trained again."""
    people = posekit.load_people("mannequins:8,size=48")
    assert rendered.PICTURES == "8e67b5d173c5"
    assert np.allclose([people.read(name).mean() for name in people.names], LIGHT, atol=0.5)
    assert np.allclose(np.nanmean(people.keypoints[..., :2], (1, 2)), PLACES, atol=0.1)
    assert people.keypoints[..., 2].sum(1).tolist() == FLAGS


def test_studies_know_what_is_shown_and_not_the_renderers_code(monkeypatch):
    people = posekit.load_people("mannequins:40,size=32")
    before = fingerprints(rendered.as_shown(people))
    monkeypatch.setattr(rendered, "renderer_version", lambda: "another code")
    assert fingerprints(rendered.as_shown(replace(people, version="another code"))) == before
    monkeypatch.setattr(rendered, "PICTURES", "other pictures")
    assert fingerprints(rendered.as_shown(replace(people, version="another code"))) != before
    others = replace(people, version="replaced")  # pictures of another origin
    assert rendered.as_shown(others) is others


def test_a_study_takes_them_as_shown():
    study = execute.plan("redesign-mannequins", "mannequins:40,size=32", (0,))
    assert study.people.version == rendered.PICTURES
