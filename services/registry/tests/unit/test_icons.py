"""Icons of strangers, made harmless."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshery_registry.domain.icons import (
    MAX_CHARACTERS,
    IconRefused,
    cleaned_icon,
    icon_hash,
    with_icons_apart,
)

_RUNS = re.compile(
    r"script|javascript|foreignobject|\son\w+=|@import|https?://(?!www\.w3\.org/2000/svg)|file:", re.I
)


def test_what_draws_stays() -> None:
    icon = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><defs><linearGradient id="a"><stop offset="0"/>'
        '</linearGradient></defs><path d="M0 0" fill="url(#a)"/><text x="1"> a &amp; b </text></svg>'
    )
    assert cleaned_icon(icon) == icon
    assert cleaned_icon(cleaned_icon(icon)) == icon


@pytest.mark.parametrize(
    "part",
    [
        "<script>alert(1)</script>",
        "<SCRIPT>alert(1)</SCRIPT>",
        '<x:script xmlns:x="http://www.w3.org/2000/svg">alert(1)</x:script>',
        '<path d="M0" onload="alert(1)"/>',
        '<path d="M0" ONLOAD="alert(1)"/>',
        '<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><script>1</script></body></foreignObject>',
        '<a href="javascript:alert(1)"><path d="M0"/></a>',
        '<use href="https://example.com/a.svg#b"/>',
        '<use xlink:href="data:image/svg+xml;base64,PHN2Zy8+#x" xmlns:xlink="http://www.w3.org/1999/xlink"/>',
        '<image href="https://example.com/a.png"/>',
        '<image href="data:image/svg+xml,&lt;svg onload=1/&gt;"/>',
        '<path style="fill:url(https://example.com/a)"/>',
        '<path fill="url( &quot;https://example.com/a&quot;)"/>',
        "<style>@import 'https://example.com/a.css';</style>",
        "<style>a{background:u\\72l(https://example.com)}</style>",
        "<style><g/>@import url(https://example.com)</style>",
        '<animate attributeName="href" to="javascript:alert(1)"/>',
        '<set attributeName="onmouseover" to="alert(1)"/>',
        '<feImage href="https://example.com/a.png"/>',
        "<!-- <script> --><path d='M0'/>",
        "<?xml-stylesheet href='https://example.com/a.css'?>",
        '<metadata><rdf xmlns="x"><script/></rdf></metadata>',
    ],
)
def test_what_runs_or_loads_is_left_out(part: str) -> None:
    cleaned = cleaned_icon(f"<svg>{part}<path d='M1'/></svg>")
    assert not _RUNS.search(cleaned)
    assert 'd="M1"' in cleaned
    ElementTree.fromstring(cleaned)


@pytest.mark.parametrize(
    ("icon", "why"),
    [
        ("", "no SVG"),
        ("<svg", "no SVG"),
        ("<html/>", "outermost"),
        ('<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>', "DOCTYPE"),
        ('<!DOCTYPE svg SYSTEM "file:///etc/passwd"><svg>&a;</svg>', "entity"),
        ("<svg>&a;</svg>", "no SVG"),
        ("<svg>" + "<g>" * 100 + "</g>" * 100 + "</svg>", "nested"),
        ("<svg>" + "<g/>" * 20_000 + "</svg>", "elements"),
        ("<svg>" + " " * MAX_CHARACTERS + "</svg>", "characters"),
    ],
)
def test_what_is_no_icon_is_refused(icon: str, why: str) -> None:
    with pytest.raises(IconRefused, match=why):
        cleaned_icon(icon)


def test_a_doctype_without_entities_is_dropped() -> None:
    public = '"-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd"'
    icon = f'<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE svg PUBLIC {public}><svg><path d="M0"/></svg>'
    assert cleaned_icon(icon) == '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0"/></svg>'


@given(st.text(max_size=200), st.text(max_size=50))
def test_any_text_is_cleaned_or_refused(inside: str, value: str) -> None:
    quoted = value.replace('"', "&quot;")
    try:
        cleaned = cleaned_icon(f'<svg><style>{inside}</style><g id="{quoted}">{inside}</g></svg>')
    except IconRefused:
        return
    ElementTree.fromstring(cleaned)
    assert cleaned_icon(cleaned) == cleaned


def test_icons_go_apart_and_addresses_stay() -> None:
    packed = "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode()
    styles, icons, refused = with_icons_apart(
        {
            "svgColor": packed,
            "svgWhite": "https://example.com/a.svg",
            "svgComplete": "javascript:alert(1)",
            "shape": "round-rectangle",
        }
    )
    (key,) = icons
    assert key == icon_hash(icons[key])
    assert styles == {
        "svgColor": f"/api/registry/icons/{key}.svg",
        "svgWhite": "https://example.com/a.svg",
        "shape": "round-rectangle",
    }
    assert refused == ["svgComplete: it is neither SVG nor an address of a picture"]
    assert with_icons_apart(styles)[1:] == ({}, [])
