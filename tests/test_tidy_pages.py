"""What pages are tidied of: lines do not end within a number's words."""

import pytest
from tidy_pages import unbroken


@pytest.mark.parametrize(
    "text, whole",
    [
        ("12.4 % of", "12.4~% of"),
        ("−3.4 [−4.2, +0.6] points", "−3.4 [−4.2,~+0.6] points"),
        ("a 32 × 32 map", "a 32~×~32 map"),
        ("r, p = 0.039 over", "r, p~=~0.039 over"),
        ("r = −0.03, where K = 2", "r~=~−0.03, where K~=~2"),
        ("of [a, b], 5 people, stop = 3", "of [a, b], 5 people, stop = 3"),
    ],
)
def test_numbers_stay_with_what_belongs_to_them(text, whole):
    assert unbroken(text) == whole.replace("~", "\u00a0")
    assert unbroken(unbroken(text)) == unbroken(text)


def test_formulas_stay_with_the_marks_behind_them():
    """A browser may break the line on either side of a formula, whatever stands there."""
    formula = r'<span class="math notranslate nohighlight">\(a &lt; b\)</span>'
    assert unbroken(f"if ({formula}), the {formula}-th of {formula} ends") == (
        f'if <span class="together">({formula}),</span> the <span class="together">{formula}-th</span> of {formula} ends'
    )
