"""XML as S3 speaks it: a safe reader for what clients send, a small writer for what they get.

The reader refuses document types, so entities cannot be declared, and bounds depth and number of elements; the size
is bounded where the payload is read. Which elements a document has is its operation's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.parsers import expat

from groundplan_sandbox.s3.errors import S3Error, malformed_xml

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
DEPTH = 8
ELEMENTS = 50_000
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Content = str | Sequence["Node"]
Node = tuple[str, Content]
"""An element: its name, and its text or its children."""


def render(name: str, children: Sequence[Node]) -> bytes:
    root = Element(name, {"xmlns": NAMESPACE})
    append(root, children)
    return written(root)


def render_error(error: S3Error, *, resource: str, request_id: str) -> bytes:
    root = Element("Error")
    fields = {"Code": error.code, "Message": error.message, "Resource": resource, "RequestId": request_id}
    append(root, list({**fields, **error.detail}.items()))
    return written(root)


def written(root: Element) -> bytes:
    document: bytes = ElementTree.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + document


def append(parent: Element, children: Iterable[Node]) -> None:
    for name, content in children:
        child = ElementTree.SubElement(parent, name)
        if isinstance(content, str):
            child.text = NOT_XML.sub("\ufffd", content)
        else:
            append(child, content)


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as S3 writes them in documents: ISO 8601, UTC, milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Reader:
    """Collects one document's elements, without their namespaces."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.buffer_text = True
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def _refuse_doctype(self, *_: object) -> None:
        raise malformed_xml("a document type is not allowed")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > ELEMENTS or len(self._open) >= DEPTH:
            raise malformed_xml("it is too deep or has too many elements")
        element = Element(name.rpartition(" ")[2])
        if self._open:
            self._open[-1].append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        element = self._open[-1]
        element.text = (element.text or "") + text


def parse(content: bytes, *, root: str) -> Element:
    """Reads a document whose root element is named `root`; S3Error MalformedXML otherwise."""
    reader = Reader()
    try:
        reader.parser.Parse(content, True)
    except (expat.ExpatError, ValueError) as error:
        raise malformed_xml(str(error)) from error
    if reader.root is None or reader.root.tag != root:
        raise malformed_xml(f"expected a {root}")
    return reader.root


def text_in(element: Element, name: str) -> str | None:
    """The text of a child element; None when there is no such child."""
    child = element.find(name)
    return None if child is None else child.text or ""
