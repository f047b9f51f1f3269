"""axe-core on an open page, in light and in dark. A chapter has ten thousand elements, most of them words of code; what
looks the same is judged once, which makes minutes seconds.
"""

from __future__ import annotations

from typing import Any

COLOURS = ["color-contrast", "link-in-text-block"]  # the rules whose outcome depends on the theme
SEEN = 3  # of elements that look the same so many are kept: of a striped table, rows of both kinds

# Of the coloured words in code the first of each kind stays; formulas, drawn by MathJax, become words.
FEWER_WORDS = """() => {
  const seen = new Set();
  const look = (e) => e && e !== document.body ? `${look(e.parentElement)} ${e.tagName}.${e.className}` : "";
  for (const span of document.querySelectorAll("pre span[class]:not([id], [style])")) {
    const kind = look(span);
    if (seen.has(kind)) span.replaceWith(...span.childNodes);
    seen.add(kind);
  }
  for (const formula of document.querySelectorAll("mjx-container")) formula.replaceWith("x");
  document.body.normalize();
}"""

# For colours alone: tag, class, role and style, its own and those of all around it, make an element's look.
FEWER_ELEMENTS = """(most) => {
  const own = (e) => e.tagName + ["class", "style", "role"].map((name) => e.getAttribute(name) ?? "");
  const look = (e) => e && e !== document.body ? `${look(e.parentElement)} ${own(e)}` : "";
  const kinds = new Map(), counted = new Set();
  for (let removed = true; removed;) {
    removed = false;
    for (const e of document.querySelectorAll("body *:not(:has(> *))")) {
      if (counted.has(e)) continue;
      counted.add(e);
      const kind = look(e), n = kinds.get(kind) ?? 0;
      kinds.set(kind, n + 1);
      if (n >= most) { e.remove(); removed = true; }
    }
  }
}"""

RUN = """async (options) => (await axe.run(document, { resultTypes: ["violations"], ...options })).violations.flatMap(
  (rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")} ${node.html.slice(0, 150)}`))"""


def turn(page: Any, scheme: str) -> None:
    """What the reader's system asks for; the page follows."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.evaluate("scheme => { document.documentElement.dataset.theme = scheme; }", scheme)
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def violations(page: Any) -> list[str]:
    """All that axe-core finds on an open page; what is left of the page afterwards is of no use."""
    from axe_playwright_python.base import AXE_SCRIPT

    page.evaluate(AXE_SCRIPT)
    page.add_style_tag(content="* { transition: none !important; }")  # no colour is judged on its way
    turn(page, "light")
    page.evaluate(FEWER_WORDS)
    found = page.evaluate(RUN, {"rules": {rule: {"enabled": False} for rule in COLOURS}})
    page.evaluate(FEWER_ELEMENTS, SEEN)
    for scheme in ("light", "dark"):
        turn(page, scheme)
        found += [f"{scheme}: {one}" for one in page.evaluate(RUN, {"runOnly": COLOURS})]
    return found
