"""Each check finds a fault that is put before it, and nothing in a page without."""

import checks
import pytest

PAGE = (
    '<!doctype html><html lang="en"><head><title>A page</title></head><body><main><article><h1>Title</h1>{}</article></main></body></html>'
)
PICTURE = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def opened(page, tmp_path, content):
    path = tmp_path / "page.html"
    path.write_text(PAGE.format(content), "utf-8")
    witness = checks.Witness(page)
    page.goto(path.as_uri())
    return witness


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('<script src="http://127.0.0.1:9/x.js"></script>', "asks for http://127.0.0.1:9/x.js"),
        ('<script src="absent.js"></script>', "absent.js is not there"),
        ("<script>console.error('wrong')</script>", "console: wrong"),
        ("<script>absent()</script>", "script: absent is not defined"),
    ],
)
def test_witness(page, tmp_path, content, fault):
    assert any(fault in line for line in opened(page, tmp_path, content).faults())


@pytest.mark.parametrize(
    ("check", "content", "fault"),
    [
        ("pictures", '<img src="absent.png" alt="A picture">', "no picture"),
        ("pictures", f'<img src="{PICTURE}" alt="">', "not described"),
        ("formulas", r'<script>MathJax = {startup: {promise: Promise.resolve()}}</script><span class="math">x</span>', "not rendered"),
        ("formulas", r"<p>Here \(x\) stays.</p>", "raw"),
        ("formulas", '<g data-mjx-error="Undefined control sequence"></g>', "not understood"),
        ("width", '<table><tr><td style="min-width: 500px">wide</td></tr></table>', "px wide: <table"),
        ("accessibility", '<input type="range">', "label"),
        ("accessibility", '<p style="color: #aaa; background: #fff">faint</p>', "color-contrast"),
    ],
)
def test_check(page, tmp_path, check, content, fault):
    opened(page, tmp_path, content)
    found = getattr(checks, check)(page)
    assert found and all(fault in line for line in found)


def test_a_page_without_faults(page, tmp_path):
    content = f'<img src="{PICTURE}" alt="A dot"><div style="overflow-x: auto" tabindex="0"><p style="width: 500px">wide</p></div>'
    witness = opened(page, tmp_path, content)
    found = [getattr(checks, check)(page) for check in ("pictures", "formulas", "width", "accessibility")]
    assert [*witness.faults(), *found, checks.weight(tmp_path / "page.html")] == [[], [], [], [], []]


def test_what_is_folded_is_checked_once_it_is_open(page, tmp_path):
    faint = '<p style="color: #aaa; background: #fff">faint</p>'
    opened(page, tmp_path, f"<details><summary>one</summary><p>clear</p></details><details><summary>two</summary>{faint}</details>")
    assert checks.accessibility(page) == [] and checks.unfold(page) == 2
    assert len(checks.accessibility(page, "article details")) == 1


def test_weight(tmp_path):
    (tmp_path / "page.html").write_bytes(b" " * (checks.MOST + 1))
    assert checks.weight(tmp_path / "page.html")


def test_links(tmp_path):
    (tmp_path / "one.html").write_text('<p id="here"><a href="two.html#there"></a><a href="two.html#nowhere"></a><a href="#here"></a>')
    (tmp_path / "two.html").write_text('<p id="there"><img src="absent.png"><a href="one.html"></a><a href="https://example.org/"></a>')
    assert checks.links(tmp_path) == ["one.html: two.html#nowhere names no place there", "two.html: absent.png is not there"]
