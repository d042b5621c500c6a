"""Every page of a book: offline, light, whole, as wide as the screen, and open to all readers."""

import checks
import pytest


def test_page(page, book, chapter):
    witness = checks.Witness(page)
    page.goto((book / chapter).as_uri())
    found = checks.formulas(page) + checks.pictures(page) + checks.width(page) + checks.weight(book / chapter)
    assert witness.faults() + found == []


@pytest.mark.parametrize(("theme", "screen"), [("light", checks.DESK), ("dark", checks.PHONE)], ids=["light", "dark"])
def test_accessibility(page, book, chapter, theme, screen):
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size(screen)
    page.goto((book / chapter).as_uri())
    assert page.locator("html").get_attribute("data-theme") == theme
    assert checks.accessibility(page) == []
    if checks.unfold(page):
        assert checks.accessibility(page, "article details") + checks.width(page) == []


def test_links(book):
    assert checks.links(book) == []
