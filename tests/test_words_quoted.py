"""What pages quote of a run, `runs["05_probes"].say.answer`, its chapter's module of words says."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("book/*.md"), *ROOT.glob("notebooks/*.py")]


@pytest.mark.parametrize(
    ("chapter", "module"), [("00_theory", "theory"), ("05_components", "components"), ("05_probes", "probes"), ("06_clusters", "clusters")]
)
def test_what_is_quoted_is_said(chapter, module):
    quoted = {key for page in PAGES for key in re.findall(rf"runs\[[\"']{chapter}[\"']\]\.say\.(\w+)", page.read_text(encoding="utf-8"))}
    planted = importlib.import_module(f"test_words_{module}").planted()
    said = importlib.import_module(f"posekit.workflow.words.{module}").sentences(planted)
    assert quoted <= {*said, "table"}
    assert not {*said} - quoted, "nobody quotes these"
    assert all(isinstance(text, str) and "{" not in text for text in said.values())
