"""The icons that ship with the registry: each glyph of `content_glyphs.py` as two SVG files.

    .venv/bin/python tools/content_icons.py

`content/icons/color` has the glyph in white on a plate in the colour of the kind's family, for light and dark
screens; `content/icons/white` has the glyph alone, for whoever gives the plate. The same table gives the same files.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import yaml

from content_glyphs import GLYPHS
from workspace import ROOT

CONTENT = ROOT / "services/registry/src/meshery_registry/content"
_OPEN: Final = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32">'
_STROKED: Final = (
    '<g fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">'
)


def icons(colors: dict[str, str]) -> dict[str, str]:
    """Every file by its path in the folder of the icons; `colors` are of the plates."""
    made = {}
    for name, glyph in GLYPHS.items():
        drawn = _STROKED + "".join(_part(part) for part in glyph.split("|")) + "</g>"
        plate = f'<rect x="1" y="1" width="30" height="30" rx="7" fill="{colors[name]}"/>'
        made[f"color/{name}.svg"] = f"{_OPEN}{plate}{drawn}</svg>\n"
        made[f"white/{name}.svg"] = f"{_OPEN}{drawn}</svg>\n"
    return made


def _part(part: str) -> str:
    style = ""
    if part[0] == "*":
        style = ' fill="#fff" stroke="none"'
    elif part[0] == "-":
        style = ' stroke-dasharray="3 3.2"'
    shape = part.lstrip("*-")
    form, *numbers = shape.split()
    match form:
        case "o":
            x, y, radius = numbers
            return f'<circle cx="{x}" cy="{y}" r="{radius}"{style}/>'
        case "e":
            x, y, wide, high = numbers
            return f'<ellipse cx="{x}" cy="{y}" rx="{wide}" ry="{high}"{style}/>'
        case "r":
            x, y, width, height, radius = numbers
            return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"{style}/>'
        case _:
            return f'<path d="{shape}"{style}/>'


def colors_of(content: Path) -> dict[str, str]:
    """The colours of icons: of each kind that of its family, of each model its own."""
    colors = {}
    for file in sorted(content.glob("*/model.yaml")):
        read = yaml.safe_load(file.read_text())
        colors[read["icon"]] = read["metadata"]["primaryColor"]
    for file in sorted(content.glob("*/kinds.yaml")):
        read = yaml.safe_load(file.read_text())
        for kind, look in read["kinds"].items():
            colors[kind] = read["families"][look["family"]]["primaryColor"]
    return colors


def main() -> int:
    """Write the files, and remove icons that no glyph stands behind."""
    folder = CONTENT / "icons"
    made = icons(colors_of(CONTENT))
    for file in folder.glob("*/*.svg"):
        if file.relative_to(folder).as_posix() not in made:
            file.unlink()
    for path, text in made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    print(f"{len(made)} icons")
    return 0


if __name__ == "__main__":
    sys.exit(main())
