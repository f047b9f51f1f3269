"""The printed book: what paper needs is changed, nothing is lost, and what is lost is noticed.

Two small pages are really printed where there is a browser; with the built site two of its pages, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import pdf  # noqa: E402
import pdf_pages  # noqa: E402
import pikepdf  # noqa: E402
from bs4 import BeautifulSoup  # noqa: E402
from pdf_pages import Inventory, Site  # noqa: E402

ADDRESS = "https://example.org/book/"
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><rect width="40" height="40" fill="green"/></svg>'
)
ONE = r"""
<h1><span class="section-number">1. </span>One <a class="headerlink" href="#one">#</a></h1>
<p>See <a href="teaching/two.html#there">there</a>, <a href="#fig">here</a>, <a href="../genindex.html#A">the index</a>,
<a href="https://example.com/x">elsewhere</a> and \(not math\).</p>
<div class="cell_output" id="fig"><a class="image-reference" href="../green.svg"><img src="../green.svg" alt="A green
square."></a><script type="application/vnd.jupyter.widget-view+json">{}</script></div>
<p>Small: <span class="math">\(\mathbf A_d\)</span> and again <span class="math">\(\mathbf A_d\)</span>.</p>
<div class="exercise" id="ex"><p>Find out.</p></div>
<div class="solution" id="sol"><p>Found <a href="#ex">out</a>.</p></div>
<h2>A step of <span class="math">\(\mathbf X\)</span></h2>
<div class="math">\[\frac{1}{2} \tag{7}\]</div>
<div class="highlight"><pre>
<span class="kn">import</span><span class="w"> </span><span class="n">x</span>  # LONG</pre></div>
"""
TWO = """
<h1>Two</h1>
<details><summary>Answer</summary><p id="there">Forty-two.</p></details>
<details class="hide"><summary>Show code</summary><pre>hidden = 1</pre></details>
<table><tr><th>a</th></tr><tr><td>1</td></tr></table>
<div class="text_html"><div class="addgcn-live" id="live"><p>It moves.</p></div>
<script>document.getElementById("live").innerHTML = "<p>drawn</p>";</script></div>
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "green.svg").write_text(PICTURE)
    (tmp_path / "index.html").write_text("")
    (tmp_path / "book/teaching").mkdir(parents=True)
    for name, text in (("book/one", ONE.replace("LONG", "long " * 60)), ("book/teaching/two", TWO)):
        page = f"<html><body><nav><h1>Menu</h1></nav><article><section>{text}</section></article></body></html>"
        (tmp_path / f"{name}.html").write_text(page)
    return Site(tmp_path, ADDRESS, [("First & last", ["book/one", "book/teaching/two"])])


@pytest.fixture
def book_html(site: Site) -> BeautifulSoup:
    articles = {page: pdf_pages.read(site, page) for page in site.pages}
    return BeautifulSoup(pdf_pages.document(site, articles, "<section>front</section>", ""), "html.parser")


def test_what_the_site_shows_is_counted(site: Site):
    wanted = pdf_pages.inventory({page: pdf_pages.read(site, page) for page in site.pages})
    assert wanted.titles == {"book/one": "1. One", "book/teaching/two": "Two"}
    assert wanted.headings == ["1. One", r"A step of \(\mathbf X\)", "Two"]
    assert wanted.figures == ["A green square.", "It moves."]
    assert wanted.formulas == [r"\mathbf A_d", r"\mathbf A_d", r"\mathbf X", r"\frac{1}{2} \tag{7}"]
    assert wanted.tables == 1


def test_links_lead_within_the_book_or_to_the_site(site: Site, book_html: BeautifulSoup):
    ids = [str(tag["id"]) for tag in book_html.select("[id]")]
    assert len(ids) == len(set(ids))
    links = [str(link["href"]) for link in book_html.select("section.page a")]
    assert links[:4] == [
        "#page-book-teaching-two.there",
        "#page-book-one.fig",
        "https://example.org/book/genindex.html#A",
        "https://example.com/x",
    ]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert pdf_pages.lead(site, "book/teaching/two", "../one.html") == "#page-book-one"
    assert pdf_pages.lead(site, "book/one", "_modules/x.html") == ADDRESS + "book/_modules/x.html"


def test_paper_gets_what_it_needs(book_html: BeautifulSoup):
    text = book_html.get_text()
    assert not book_html.select("details, summary, a.headerlink, script[type], span.n")
    for gone in ("Show code", "Menu"):
        assert gone not in text
    for there in ("Answer", "Forty-two", "hidden = 1", "import x", "This figure can be played with", "First & last"):
        assert there in text
    one = book_html.select_one("#page-book-one")
    assert one is not None
    assert [heading.name for heading in one.select("h1, h2, h3")] == ["h1", "h2", "h3", "h3"]  # part, page, sections
    assert one.get_text().index("import x") < one.get_text().index("Solutions") < one.get_text().index("Found")


def test_a_title_in_css_is_quoted():
    assert pdf_pages.quoted(r'a "b" \c') == r'"a \"b\" \\c"'


def test_bookmarks_read_like_headings():
    assert pdf.plain(r"A step of \(\mathbf A_{d}\) (again)") == "A step of A_d (again)"
    assert pdf.letters(r"A step of formula: \mathbf A_{d} (a gain)") == pdf.letters(
        r"A step of \(\mathbf A_{d}\) (again)"
    )


def test_lacking_names_what_is_missing():
    assert pdf.lacking("figure", ["a", "b", "b", "b"], ["b", "c"]) == ["figure missing: a", "figure missing 2 times: b"]
    assert pdf.lacking("figure", ["a"], ["a", "a"]) == []


def test_without_a_browser_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="apt install chromium"):
        pdf.browser()
    monkeypatch.setenv("CHROMIUM", "/nowhere/chrome")
    with pytest.raises(SystemExit, match=r"\$CHROMIUM names /nowhere/chrome"):
        pdf.browser()


def test_without_the_site_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pdf.book, "HTML", tmp_path)
    with pytest.raises(SystemExit, match="make book"):
        pdf.main()


def test_the_book_is_every_page_of_the_contents():
    site, config = pdf.configured()
    assert [Path(page) for page in site.pages] == pdf.book.pages()
    assert site.address.startswith("https://")
    assert "ADD-GCN" in pdf.escape(config["title"])


# --- really printed


@pytest.fixture
def printer(tmp_path: Path) -> Callable[[Site], tuple[Path, list[str], Inventory]]:
    """Print a site; the file, what was wrong, and what the site shows."""
    pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    try:
        pdf.browser()
    except SystemExit as missing:
        pytest.skip(str(missing))

    def make(site: Site) -> tuple[Path, list[str], Inventory]:
        path = tmp_path / "out" / "book.pdf"
        return path, *pdf.make(site, pdf.configured()[1], path)

    return make


def test_two_small_pages(site: Site, printer: Callable[[Site], tuple[Path, list[str], Inventory]]):
    path, problems, wanted = printer(site)
    assert problems == []
    with pikepdf.open(path) as printed:
        assert bool(printed.Root.MarkInfo.Marked)
        assert str(printed.Root.Lang) == "en"
        tags = list(pdf.elements(printed))
        assert len(printed.pages) == 4  # title, contents, a page each
        with printed.open_outline() as outline:
            titles = [mark.title for mark in pdf.bookmarks(outline.root)]
    assert titles == ["ADD-GCN", "Contents", "First & last", "1. One", "A step of X", "Solutions", "Two"]
    assert pdf.numbers(path)["page-book-teaching-two"] == 4
    assert ("/Figure", "It moves.") in tags
    assert sum(text == r"formula: \mathbf A_d" for _, text in tags) == 2
    assert sorted(p.name for p in path.parent.iterdir()) == ["book.pdf"]

    more = Inventory(
        {**wanted.titles, "book/three": "Three"}, [], [*wanted.figures, "A cat."], [*wanted.formulas, "x"], 2
    )
    assert pdf.missing(more, path) == [
        "figure missing: A cat.",
        "formula missing: x",
        "1 of 2 tables missing",
        "'Three' does not begin where the contents say",
    ]


def test_what_would_be_cut_off_or_empty_is_named(
    site: Site, printer: Callable[[Site], tuple[Path, list[str], Inventory]]
):
    page = site.folder / "book/teaching/two.html"
    wrong = '<table style="width: 900px"><tr><td>wide</td></tr></table><img src="gone.png" alt="Gone."></section>'
    wrong += r'<p><span class="math">\(\frac{1\)</span></p><script>nothing()</script>'
    page.write_text(page.read_text().replace("</section>", wrong))
    problems = "\n".join(printer(site)[1])
    for sign in ("wider than the page", "shows nothing: Gone.", "MathJax cannot read", "nothing is not defined"):
        assert sign in problems


def test_two_pages_of_the_site(printer: Callable[[Site], tuple[Path, list[str], Inventory]]):
    pages = ["book/notation", "book/playground"]
    if not all((pdf.book.HTML / f"{page}.html").exists() for page in pages):
        pytest.skip("needs the site: make book")
    whole, _ = pdf.configured()
    _, problems, wanted = printer(Site(whole.folder, whole.address, [("Two", pages)]))
    assert problems == []
    assert len(wanted.figures) == 3
    assert len(wanted.formulas) > 30
