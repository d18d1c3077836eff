"""S3's XML: documents from nested values, and values from the documents that clients send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError
from mojo_toolbox.local_cloud.wire.protocol import bounded_number

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")


def document(root: str, content: Mapping[str, object]) -> bytes:
    """Write a document: a list repeats its element, a mapping nests, None leaves an element out."""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">{_elements(content)}</{root}>'
    return text.encode("utf-8")


def _elements(content: Mapping[str, object]) -> str:
    return "".join(
        f"<{name}>{_value(one)}</{name.partition(' ')[0]}>"
        for name, value in content.items()
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    )


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return _elements(value)
    if isinstance(value, bool):
        return str(value).lower()
    # Keys may have characters that XML 1.0 cannot write. S3 writes numeric references all the same, and advises encoding-type=url.
    return _CONTROL.sub(lambda found: f"&#x{ord(found[0]):x};", escape(str(value), {'"': "&quot;"}))


class _Builder(ET.TreeBuilder):
    """Refuses a document type, in whatever encoding it is written: entities have no place in S3's requests."""

    def doctype(self, *_: object) -> None:
        """Stop at the beginning of a document type, before anything of it is read."""
        raise _malformed()


def parse(body: bytes, root: str = "") -> ET.Element:
    """Read a document, without its namespaces. Its outermost element must be `root` where that is given.

    Raises:
        ObjectStoreError: MalformedXML.
    """
    try:
        element = ET.fromstring(body, ET.XMLParser(target=_Builder()))  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        raise _malformed() from error
    for one in element.iter():
        one.tag = one.tag.rpartition("}")[2]
    if root and element.tag != root:
        raise _malformed()
    return element


def text(element: ET.Element, name: str, default: str = "") -> str:
    """Return the text of a child element."""
    found = element.find(name)
    return default if found is None else found.text or ""


def number(element: ET.Element, name: str) -> int:
    """Return the number in a child element.

    Raises:
        ObjectStoreError: MalformedXML.
    """
    found = bounded_number(text(element, name).strip(), 2**31 - 1)
    if found is None:
        raise _malformed()
    return found


def _malformed() -> ObjectStoreError:
    return ObjectStoreError(
        "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
    )
