"""What is gathered of a book's pages for cards: every kind of target, as it reads outside its page."""

import pytest
from previews import links, targets


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (
            '<figure class="x" id="fig-a">\n<a class="large" href="a.png"><img alt="A" src="a.png"></a><figcaption>A, by '
            '<a class="reference internal" href="#equation-b">(1)</a>.<a class="headerlink" href="#fig-a">#</a>'
            "</figcaption></figure><p>no more</p>",
            {"fig-a": '<figure class="x">\n<img alt="A" src="a.png"><figcaption>A, by (1).</figcaption></figure>'},
        ),
        (
            r'<div class="math notranslate" id="equation-b"><span class="eqno">(1)<a class="headerlink" href="#equation-b">#</a>'
            r"</span>\[x\]</div>",
            {"equation-b": r'<div class="math notranslate"><span class="eqno">(1)</span>\[x\]</div>'},
        ),
        (
            '<div class="proof algorithm admonition" id="alg-c"><p>Algorithm 1</p>'
            '<section id="proof-content"><div>steps</div></section>\n</div><p>x</p>',
            {"alg-c": '<div class="proof algorithm admonition"><p>Algorithm 1</p><section><div>steps</div></section>\n</div>'},
        ),
        (
            '<div class="citation" id="id1" role="listitem">\n<span class="label"><span>[</span>A, 1<span>]</span></span>\n'
            "<p>A. <em>B</em>.</p>\n</div>",
            {"id1": "<p>A. <em>B</em>.</p>"},
        ),
        (
            '<dl><dt id="term-a">a</dt><dd><p>one</p></dd><dt id="term-b">b</dt><dd><p>two</p></dd></dl>',
            {"term-a": "<p>one</p>", "term-b": "<p>two</p>"},
        ),
        ('<table class="t" id="tab-a"><tr><td id="x">1</td></tr></table>', {"tab-a": '<table class="t"><tr><td>1</td></tr></table>'}),
        ('<section id="sec"><p>text</p><div class="math">x</div><figure><img></figure></section>', {}),
    ],
    ids=["figure", "formula", "algorithm", "work", "terms", "table", "nothing"],
)
def test_targets(body, found):
    assert targets(body) == found


def test_links():
    body = '<a class="reference internal" href="b.html#x">b</a><a class="reference internal" href="#y">y</a>'
    body += '<a class="headerlink" href="#z">#</a>'
    assert links("a.html", body + '<a class="reference internal" href="c.html">c</a>') == {"b.html#x", "a.html#y"}
