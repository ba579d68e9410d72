"""How much a source may be, and what the one who fetched it knows of it. Plain values; nothing is read in here."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused beyond. Sizes in bytes.

    `ratio` is unpacked to packed, counted from `ratio_from_bytes` on: short files of much repetition are no bombs.
    `depth` is of archives inside archives, a plain file being 0; an image in a tar file takes two.
    """

    packed_bytes: int = 64 * _MIB
    unpacked_bytes: int = 512 * _MIB
    ratio: int = 200
    ratio_from_bytes: int = 16 * _MIB
    files: int = 20_000
    file_bytes: int = 10 * _MIB
    depth: int = 4


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a source beside its bytes: for models that are generated (CRDs, OpenAPI, charts).

    `version` is of the software, such as a release's tag: it goes before what the files say. `source_uri` is where it
    came from, and is kept with the model. A package says all this itself. An empty `registrant_kind` is `helm` for a
    chart and `meshery` for the rest.
    """

    registrant_kind: str = ""
    registrant_name: str = ""
    version: str = ""
    source_uri: str = ""


#: The limits that hold unless told otherwise.
LIMITS = Limits()
#: A source of which nothing is known but its bytes.
UNKNOWN = Origin()
