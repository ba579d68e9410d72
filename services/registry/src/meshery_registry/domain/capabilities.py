"""What people can do with a component on the canvas, unless its definition says otherwise."""

from __future__ import annotations

from typing import Any, Final

_VERSION: Final = "0.7.0"


def _capability(
    name: str, description: str, kind: str, type_: str, sub_type: str, *, of_instances: bool = False
) -> dict[str, Any]:
    return {
        "schemaVersion": "capability.meshery.io/v1beta1",
        "version": _VERSION,
        "displayName": name,
        "description": description,
        "kind": kind,
        "type": type_,
        "subType": sub_type,
        "key": "",
        "entityState": ["declaration", "instance"] if of_instances else ["declaration"],
        "status": "enabled",
        "metadata": None,
    }


#: For every component whose definition brings none of its own.
DEFAULT_CAPABILITIES: Final[tuple[dict[str, Any], ...]] = (
    _capability(
        "Performance test",
        "Send load to the component and measure how it answers.",
        *("action", "operate", "perf-test"),
        of_instances=True,
    ),
    _capability(
        "Configuration",
        "Change the settings of the component.",
        *("mutate", "configuration", "config"),
    ),
    _capability(
        "Labels and annotations",
        "Change the labels and annotations of the component.",
        *("mutate", "configuration", "labels-and-annotations"),
    ),
    _capability(
        "Relationships",
        "See what the component belongs together with.",
        *("view", "configuration", "relationship"),
        of_instances=True,
    ),
    _capability(
        "Definition",
        "See the schema of the component.",
        *("view", "configuration", "definition"),
        of_instances=True,
    ),
    _capability(
        "Style",
        "Change colours, icon and text of the component.",
        *("mutate", "style", ""),
    ),
    _capability(
        "Shape",
        "Change the shape of the component.",
        *("mutate", "style", "shape"),
    ),
    _capability(
        "Drag and drop into a parent",
        "Move the component into another one, and out of it.",
        *("interaction", "graph", "compoundDnd"),
    ),
)
