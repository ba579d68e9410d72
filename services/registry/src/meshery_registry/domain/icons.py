"""Icons that strangers drew, made harmless: what is stored is written anew from what an image needs.

An icon is served from our own address, so a script in it would run as ours. Only elements and attributes that draw
are written; whatever runs, links, loads or is of another namespace is left out. What must not be in here: fetching.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from meshery_contracts.definitions import ICON_PATH

#: The longest icon, in characters.
MAX_CHARACTERS: Final = 256 * 1024
#: The keys of styles and metadata that hold icons.
KEYS: Final = ("svgColor", "svgWhite", "svgComplete")

_MAX_DEPTH = 64
_MAX_ELEMENTS = 10_000
_SVG = "http://www.w3.org/2000/svg"
_XLINK_HREF = "http://www.w3.org/1999/xlink href"
_ELEMENTS: Final = frozenset(
    re.findall(
        r"\w+",
        """
        svg g defs symbol use title desc path rect circle ellipse line polyline polygon text tspan textPath image style
        linearGradient radialGradient stop clipPath mask pattern marker switch filter feBlend feColorMatrix
        feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting feDisplacementMap feDistantLight
        feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR feGaussianBlur feMerge feMergeNode feMorphology feOffset
        fePointLight feSpecularLighting feSpotLight feTile feTurbulence
        """,
    )
)
#: References to a part of the same picture.
_OWN = re.compile(r"#[^\s\"'<>()]+")
_FOREIGN_URL = re.compile(r"url\(\s*['\"]?(?!#)", re.IGNORECASE)
#: Backslashes and comments can hide any word of CSS.
_UNSAFE_STYLE = re.compile(r"\\|/\*|@|expression|javascript|<", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+")
_DATA_ICON = re.compile(r"data:image/svg\+xml(?:;charset=[\w-]+|;utf8)?(;base64)?,", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?://|/(?!/)|\.{0,2}/?[\w@-])[^\s\"'<>\\]*")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


class IconRefused(Exception):
    """The icon cannot be taken; the text says why."""


@lru_cache(maxsize=2_000)
def cleaned_icon(text: str) -> str:
    """The same picture with nothing in it but drawing. Raises IconRefused."""
    if len(text) > MAX_CHARACTERS:
        raise IconRefused(f"it has {len(text):,} characters, {MAX_CHARACTERS:,} are allowed")
    writer = _Writer()
    try:
        writer.read(text)
    except expat.ExpatError as error:
        raise IconRefused(f"it is no SVG: {expat.ErrorString(error.code)} in line {error.lineno}") from None
    return "".join(writer.written)


def icon_hash(icon: str) -> str:
    """What an icon is called by."""
    return hashlib.sha256(icon.encode()).hexdigest()


def with_icons_apart(
    styles: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Styles with the address of each icon in place of its text, those icons by hash, and why others were left out.

    An address stays as it is, unless it is one that a browser would run.
    """
    apart: dict[str, Any] = dict(styles)
    icons: dict[str, str] = {}
    refused: list[str] = []
    for key in KEYS:
        value = apart.get(key)
        if value is None or value == "":
            continue
        try:
            apart[key] = _taken(value, icons)
        except IconRefused as error:
            del apart[key]
            refused.append(f"{key}: {error}")
    return apart, icons, refused


def _taken(value: Any, icons: dict[str, str]) -> str:
    if not isinstance(value, str):
        raise IconRefused("it is no text")
    text = value.strip()
    if _DATA_ICON.match(text):
        text = _unpacked(text)
    if text.startswith("<"):
        icon = cleaned_icon(text)
        icons[icon_hash(icon)] = icon
        return ICON_PATH.format(hash=icon_hash(icon))
    scheme = _SCHEME.match(text)
    if not _ADDRESS.fullmatch(text) or (scheme and scheme[0].lower() not in ("http:", "https:")):
        raise IconRefused("it is neither SVG nor an address of a picture")
    return text


def _unpacked(text: str) -> str:
    head, _, data = text.partition(",")
    if not head.lower().endswith(";base64"):
        return unquote(data).strip()
    try:
        return base64.b64decode(data, validate=False).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        raise IconRefused("its base64 cannot be read") from None


class _Writer:
    """Reads one picture and writes what is allowed of it."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self._left_out = 0
        self._open: list[str] = []
        self._elements = 0
        self._style: list[str] | None = None
        self._unclosed = False

    def read(self, text: str) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._doctype
        parser.SkippedEntityHandler = self._entity
        parser.buffer_text = True
        # As bytes with the coding said aloud: what the document itself says of its coding may lie.
        parser.Parse(re.sub(r"^\ufeff?\s*<\?xml[^>]*\?>", "", text, count=1).encode("utf-8", "replace"), True)

    def _doctype(self, _name: str, _system: str | None, _public: str | None, internal: bool) -> None:
        if internal:
            raise IconRefused("it declares entities in a DOCTYPE")

    def _entity(self, name: str, _is_parameter: bool) -> None:
        raise IconRefused(f"it refers to the entity {name[:50]!r}, which is not part of it")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > _MAX_ELEMENTS or len(self._open) + self._left_out > _MAX_DEPTH:
            raise IconRefused(f"it has over {_MAX_ELEMENTS:,} elements or is nested over {_MAX_DEPTH} deep")
        namespace, _, local = name.rpartition(" ")
        if not self._open and not self._left_out and local != "svg":
            raise IconRefused(f"its outermost element is {local[:50]!r}, not 'svg'")
        foreign = namespace not in ("", _SVG) or local not in _ELEMENTS
        if self._left_out or foreign or self._style is not None:
            self._left_out += 1
            return
        self._close_start()
        kept = [(key, value) for key, value in map(_attribute(local), attributes.items()) if key]
        if not self._open:
            kept.insert(0, ("xmlns", _SVG))
        self.written.append(f"<{local}" + "".join(f" {key}={quoteattr(value)}" for key, value in kept))
        self._unclosed = True
        self._open.append(local)
        self._style = [] if local == "style" else None

    def _end(self, _name: str) -> None:
        if self._left_out:
            self._left_out -= 1
            return
        local = self._open.pop()
        if self._style is not None:
            style = "".join(self._style)
            if style and _is_safe_style(style):
                self._close_start()
                self.written.append(escape(style))
            self._style = None
        if self._unclosed:
            self.written.append("/>")
            self._unclosed = False
        else:
            self.written.append(f"</{local}>")

    def _characters(self, text: str) -> None:
        if self._left_out:
            return
        if self._style is not None:
            self._style.append(text)
        elif text.strip() or (self._open and self._open[-1] in ("text", "tspan", "textPath")):
            self._close_start()
            self.written.append(escape(text))

    def _close_start(self) -> None:
        if self._unclosed:
            self.written.append(">")
            self._unclosed = False


def _attribute(element: str) -> Any:
    """A function from an attribute to the one that is written; an empty name for none."""

    def kept(attribute: tuple[str, str]) -> tuple[str, str]:
        key, value = attribute
        if key in ("href", _XLINK_HREF):
            picture = element == "image" and _PICTURE.fullmatch(value)
            return ("href", value) if picture or _OWN.fullmatch(value) else ("", "")
        if " " in key or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", key) or key.lower().startswith("on"):
            return "", ""
        safe = _is_safe_style(value) if key == "style" else not _FOREIGN_URL.search(value)
        return (key, value) if safe and "javascript:" not in value.lower() else ("", "")

    return kept


def _is_safe_style(style: str) -> bool:
    return not _UNSAFE_STYLE.search(style) and not _FOREIGN_URL.search(style)
