"""What pages are tidied of: lines do not end within a number's words."""

import importlib.util

import pytest

from posekit.parameters import root


@pytest.fixture(scope="module")
def tidy_pages():
    spec = importlib.util.spec_from_file_location("tidy_pages", root() / "book" / "_ext" / "tidy_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "text, whole",
    [
        ("12.4 % of", "12.4~% of"),
        ("−3.4 [−4.2, +0.6] points", "−3.4 [−4.2,~+0.6] points"),
        ("a 32 × 32 map", "a 32~×~32 map"),
        ("r, p = 0.039 over", "r, p~=~0.039 over"),
        ("of [a, b], 5 people, stop = 3", "of [a, b], 5 people, stop = 3"),
    ],
)
def test_numbers_stay_with_what_belongs_to_them(tidy_pages, text, whole):
    assert tidy_pages.unbroken(text) == whole.replace("~", "\u00a0")
    assert tidy_pages.unbroken(tidy_pages.unbroken(text)) == tidy_pages.unbroken(text)
