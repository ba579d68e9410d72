"""Namespaces that are not named: kubectl puts such an object into `default`, and so does a deployment.

Where two namespaces are compared, of which one is an object's own, an absent one is therefore `default`. A reference
that names none often means the namespace of who refers: strategies that ask for its absence see it as absent. Nothing
is written because of this, and nothing is a child of the Namespace `default` that does not name it: whether an object
is in any namespace at all is not told by what it leaves out.
"""

from __future__ import annotations

from typing import Any, Final

from meshery_registry.domain.evaluation.paths import Path
from meshery_registry.domain.evaluation.strategies import ASKED, EQUAL, NOT_NULL, Strategies, key_of

DEFAULT: Final = "default"
#: Where an object names its own.
_OWN: Final = ("configuration", "metadata", "namespace")
_NEITHER: Final = (False, False)


def implied(strategies: Strategies, one: Path, other: Path) -> tuple[bool, bool]:
    """On which of the two sides an absent value is `default`."""
    if one[-1] != "namespace" or other[-1] != "namespace":
        return _NEITHER
    own = one == _OWN, other == _OWN
    if own == _NEITHER or not ASKED.union((EQUAL, NOT_NULL)).issuperset(strategies):
        return _NEITHER
    if NOT_NULL in strategies:
        return _NEITHER if all(own) else own
    return (True, True) if strategies == (EQUAL,) else own


def compared(strategies: Strategies, paths: tuple[Path, Path], values: tuple[Any, Any]) -> tuple[Any, Any]:
    """The values of both sides as they are compared."""
    one, other = (key_of(value) is None for value in values)
    if not (one or other):
        return values
    from_implied, to_implied = implied(strategies, *paths)
    return DEFAULT if one and from_implied else values[0], DEFAULT if other and to_implied else values[1]
