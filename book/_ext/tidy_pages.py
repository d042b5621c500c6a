"""What is put right in every page: scripts of other hosts, lists that are none, figures that do not open, ends of lines, downloads."""

import re

PROSE = 40  # letters of a cell of an output that is more than a name or a number, and may be several lines
NAME = 12  # letters of a word of code that stays whole
FILES = "json|yaml|py|md|csv|png|jpg|svg|gz|safetensors|ipynb|html|sh|mat|pdf"  # ends of names that stay with them
UNITS = "GB|MB|GFLOP|px|cm|mm|m|min|ms|s|sd|M"
FORMULA = r'<span class="math [^>]*>[^<]*</span>'
MARK = r"(?:[.,;:?!)]|-th\b)"


def tidy(app, page, template, context, doctree):
    unlike = {str((script.filename, sorted(script.attributes.items()))): script for script in context["script_files"]}
    context["script_files"] = [script for key, script in unlike.items() if "thebe" not in key.lower()]  # Thebe asks unpkg.com
    body = context.get("body", "")
    body = re.sub(r'(class="citation"[^>]*) role="doc-biblioentry"', r'\1 role="listitem"', body)  # a list holds list items
    body = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")  # its text says what it shows
    for name, said in {"source": "code", "output": "table"}.items():  # of a cell whose two parts are folded each by itself
        body = re.sub(rf"\b(Show|Hide) the {name}\b", rf"\1 the {said}", body)
    # The theme offers a page's source, in whose prose there are no numbers yet; a chapter offers its executed notebook.
    if executed := re.search(r'href="(_downloads/[^"]+\.ipynb)"', body):
        for button in (b for group in context.get("header_buttons", []) for b in group.get("buttons", [])):
            if button["label"] == "download-source-button":
                button |= {"url": executed[1], "tooltip": "Download the executed notebook"}
    # Sphinx breaks a long signature into a list of descriptions that describe nothing.
    body = re.sub(r"<dl>(\s*<dd><em class=\"sig-param\">.*?)</dl>", parameters, body, flags=re.DOTALL)
    parts = re.split(r"(<(script|style|pre)\b.*?</\2>)", body, flags=re.DOTALL)
    body = "".join("" if i % 3 == 2 else part if i % 3 else lines(part) for i, part in enumerate(parts))
    body = body.replace('<table id="T_', '<table class="dataframe" id="T_')  # with a caption or without, outputs look alike
    body = re.sub(rf"(<td\b[^>]*>)([^<]{{{PROSE},}})(</td>)", r'\1<div class="prose">\2</div>\3', body)
    body = body.replace('<a class="reference internal image-reference"', '<a class="large"')
    context["body"] = re.sub(r'(<figure\b[^>]*>\s*)?^(<img\b[^>]*\bsrc="([^"]+)"[^>]*>)', large, body, flags=re.MULTILINE)
    if (name := context.get("docstitle")) and context.get("title") == name:  # the book's first page, which has its name once
        context |= {"docstitle": "", "theme_logo": {**context["theme_logo"], "text": name}}


def large(picture: re.Match) -> str:
    """A figure is a link to its picture: on a phone it is looked at there."""
    figure, image, source = picture.groups()
    link = f'<a class="large" href="{source}">{image}</a>'
    return f"{figure}{link}" if figure else f'<figure class="align-default">{link}</figure>'


def lines(text: str) -> str:
    """HTML whose lines end where they may: not within what is read as one, but within long names of code and of works."""
    text = "".join(part if i % 2 else unbroken(part) for i, part in enumerate(re.split("(<[^>]*>)", text)))  # not within tags
    text = re.sub(rf"(\({FORMULA}{MARK}*|{FORMULA}{MARK}+)", r'<span class="together">\1</span>', text)
    text = text.replace("|r|\u00a0=\u00a0", '<span class="together">|r|\u00a0=\u00a0</span>')  # a line may end after a bar
    text = re.sub(r'<code\b[^>]*\bliteral\b.*?</code>|<span class="sig-prename.*?</span>', names, text, flags=re.DOTALL)
    return re.sub(r'(<a class="reference external" href="[^"]*">)((?:doi:|http)[^<]*)(?=</a>)', works, text)


def names(code: re.Match) -> str:
    """Code that may break behind the dots, strokes and the like of long names, and never within an option."""

    def name(word: re.Match) -> str:
        if word[1].startswith("-"):
            return f'<span class="pre together">{word[1]}</span>'
        if code[0].startswith("<span"):
            return f'<span class="pre">{word[1].replace(".", ".<wbr>")}</span>'
        return f'<span class="pre">{broken(word[1]) if len(word[1]) > NAME else word[1]}</span>'

    return re.sub(r'<span class="pre">([^<]*)</span>', name, code[0])


def works(link: re.Match) -> str:
    """An address that may break behind its strokes and dots, not within a number."""
    return link[1] + broken(link[2])


def broken(name: str) -> str:
    return re.sub(rf"(?<=[/_=])(?<!^.)(?=[^\W_])|(?<=\.)(?!(?:{FILES})\b)(?=[^\W\d_])", "<wbr>", name)


def unbroken(text: str) -> str:
    """No line ends within an interval, a size or an equation, between a number and its unit, or before a figure's number."""
    text = re.sub(r"(?<=\d) × (?=\d)", "\u00a0×\u00a0", text)
    text = re.sub(r"(\[[−+]?[\d.,]+,) ([−+]?[\d.,]+\])", "\\1\u00a0\\2", text)
    text = re.sub(r"(\b[pKr]|\|r\||R²) = (?=[−\d])", "\\1\u00a0=\u00a0", text)
    text = re.sub(r"\b(Figs?\.) (?=\d)", "\\1\u00a0", text)
    return re.sub(rf"(?<=\d) (?=%|(?:{UNITS})\b)", "\u00a0", text)


def parameters(signature: re.Match) -> str:
    return signature[1].replace("<dd>", '<span class="parameter">').replace("</dd>", "</span>")


def whole(app, what, name, obj, options, signature, returns):
    """A signature that Sphinx can read: where a default is made by a function, Python writes `<factory>`."""
    return signature and signature.replace("<factory>", "..."), returns


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-signature", whole)
    app.connect("html-page-context", tidy, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
