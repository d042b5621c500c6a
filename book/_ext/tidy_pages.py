"""What is put right in every page: scripts of other hosts or twice, lists that are none, figures that do not open large, downloads."""

import re


def tidy(app, page, template, context, doctree):
    unlike = {str((script.filename, sorted(script.attributes.items()))): script for script in context["script_files"]}
    context["script_files"] = [script for key, script in unlike.items() if "thebe" not in key.lower()]  # Thebe asks unpkg.com
    body = context.get("body", "")
    body = re.sub(r'(class="citation"[^>]*) role="doc-biblioentry"', r'\1 role="listitem"', body)  # a list holds list items
    body = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")  # its text says what it shows
    # The theme offers a page's source, in whose prose there are no numbers yet; a chapter offers its executed notebook.
    if executed := re.search(r'href="(_downloads/[^"]+\.ipynb)"', body):
        for button in (b for group in context.get("header_buttons", []) for b in group.get("buttons", [])):
            if button["label"] == "download-source-button":
                button |= {"url": executed[1], "tooltip": "Download the executed notebook"}
    # Sphinx breaks a long signature into a list of descriptions that describe nothing.
    body = re.sub(r"<dl>(\s*<dd><em class=\"sig-param\">.*?)</dl>", parameters, body, flags=re.DOTALL)
    parts = re.split(r"(<script.*?</script>)", body, flags=re.DOTALL)
    body = "".join(part if part.startswith("<script") else unbroken(part) for part in parts)
    # A figure is a link to its picture: on a phone it is looked at there.
    context["body"] = re.sub(r'(<figure\b[^>]*>\s*)(<img\b[^>]*\bsrc="([^"]+)"[^>]*>)', r'\1<a class="large" href="\3">\2</a>', body)


def unbroken(text: str) -> str:
    """No line ends within an interval, a size or an equation, between a number and its unit, or between a formula and its full stop."""
    text = re.sub(r'(\(?<span class="math [^>]*>[^<]*</span>(?:[.,;:?!)]|-th\b)+)', r'<span class="together">\1</span>', text)
    text = re.sub(r"(?<=\d) × (?=\d)", "\u00a0×\u00a0", text)
    text = re.sub(r"(\[[−+]?[\d.,]+,) ([−+]?[\d.,]+\])", "\\1\u00a0\\2", text)
    text = re.sub(r"(\b[pKr]|\|r\||R²) = (?=[−\d])", "\\1\u00a0=\u00a0", text)
    return re.sub(r"(?<=\d) %", "\u00a0%", text)


def parameters(signature: re.Match) -> str:
    return signature[1].replace("<dd>", '<span class="parameter">').replace("</dd>", "</span>")


def setup(app):
    app.connect("html-page-context", tidy, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
