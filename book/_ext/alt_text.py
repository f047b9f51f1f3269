"""Every image of the book says what it shows.

A figure of the library (`addgcn.style.Picture`) has a description, made from its data, as its text form; here it
becomes the image's alt text, unless the cell's metadata gives another (`{"mystnb": {"image": {"alt": "..."}}}`).
An image with neither is a warning, and so fails the build.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)


def text_form(image: nodes.Node) -> str:
    """The text/plain that a cell's output gives beside this image; '' where there is none or only a type's name."""
    bundle = image.parent
    while bundle is not None and bundle.get("nb_element") != "mime_bundle":
        bundle = bundle.parent
    for part in bundle.children if bundle is not None else ():
        if part.get("mime_type") == "text/plain" and not part.astext().startswith("<"):
            return " ".join(part.astext().split())
    return ""


def set_alt(app: Sphinx, document: nodes.document) -> None:
    for image in document.findall(nodes.image):
        image["alt"] = image.get("alt") or text_form(image)
        if not image["alt"]:
            LOGGER.warning("image without alt text: %s", image["uri"], location=image)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", set_alt)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
