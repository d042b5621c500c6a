"""What pages are tidied of: lines do not end within a number's words, nor within an option."""

import pytest
from tidy_pages import large, lines, unbroken, whole


@pytest.mark.parametrize(
    "text, whole",
    [
        ("12.4 % of", "12.4~% of"),
        ("−3.4 [−4.2, +0.6] points", "−3.4 [−4.2,~+0.6] points"),
        ("a 32 × 32 map", "a 32~×~32 map"),
        ("r, p = 0.039 over", "r, p~=~0.039 over"),
        ("r = −0.03, where K = 2", "r~=~−0.03, where K~=~2"),
        ("of [a, b], 5 people, stop = 3", "of [a, b], 5 people, stop = 3"),
        ("123 GB, 6 ms and 5 more", "123~GB, 6~ms and 5 more"),
        ("see Fig. 4.2 and Figs. 1 and 2", "see Fig.~4.2 and Figs.~1 and 2"),
    ],
)
def test_numbers_stay_with_what_belongs_to_them(text, whole):
    assert unbroken(text) == whole.replace("~", "\u00a0")
    assert unbroken(unbroken(text)) == unbroken(text)


def test_tags_stay_as_they_are():
    assert (
        lines('<div class="sd-row-cols-1 sd-g-3" title="5 px">5 px</div>')
        == '<div class="sd-row-cols-1 sd-g-3" title="5 px">5\u00a0px</div>'
    )


def test_formulas_stay_with_the_marks_around_them():
    """A browser may break the line on either side of a formula, whatever stands there, and after a bar."""
    formula = r'<span class="math notranslate nohighlight">\(a &lt; b\)</span>'
    assert lines(f"if ({formula}), the {formula}-th of {formula} ends ({formula} too)") == (
        f'if <span class="together">({formula}),</span> the <span class="together">{formula}-th</span> of {formula} ends '
        f'<span class="together">({formula}</span> too)'
    )
    assert lines("|r| = 0.19") == '<span class="together">|r|\u00a0=\u00a0</span>0.19'


@pytest.mark.parametrize(
    "code, shown",
    [
        ("annotations/person_keypoints.json", "annotations/<wbr>person_<wbr>keypoints.json"),
        ("posekit.interpret.activations", "posekit.<wbr>interpret.<wbr>activations"),
        ("mediapipe==0.10.21", "mediapipe==<wbr>0.10.21"),
        ("kpt_names", "kpt_names"),
        ("coco:FOLDER@val2017", "coco:FOLDER@val2017"),
        ("--nproc-per-node", None),
    ],
)
def test_long_names_break_behind_their_marks_and_options_nowhere(code, shown):
    literal = '<code class="docutils literal notranslate"><span class="pre{}">{}</span></code>'
    assert lines(literal.format("", code)) == (literal.format("", shown) if shown else literal.format(" together", code))


def test_a_work_s_address_breaks_behind_its_marks():
    link = '<a class="reference external" href="https://doi.org/10.1007/9-3">{}</a>'
    assert lines(link.format("doi:10.1007/9-3")) == link.format("doi:10.1007/<wbr>9-3")


def test_a_picture_without_a_figure_gets_one():
    import re

    pattern = re.compile(r'(<figure\b[^>]*>\s*)?^(<img\b[^>]*\bsrc="([^"]+)"[^>]*>)', re.MULTILINE)
    link = '<a class="large" href="a.svg"><img src="a.svg" /></a>'
    assert pattern.sub(large, '<figure id="fig-a">\n<img src="a.svg" />') == f'<figure id="fig-a">\n{link}'
    assert pattern.sub(large, '<img src="a.svg" />') == f'<figure class="align-default">{link}</figure>'


def test_sphinx_can_read_a_signature_with_a_default_that_is_made():
    assert whole(None, "class", "Card", None, None, "(mean=(0.0, 0.0), made=<factory>)", None) == ("(mean=(0.0, 0.0), made=...)", None)
