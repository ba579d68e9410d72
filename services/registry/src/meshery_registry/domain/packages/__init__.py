"""Model packages and whatever else definitions are read from: bytes in, `Readings` out, and packages out again.

`sources` finds out what some bytes are, `archives` and `images` unpack within `limits` and never to disk, `folders`
makes packages of files, `documents` reads one definition of any generation (`models`, `components`,
`relationships`), `crds`, `openapis` and `charts` generate components, `sheets` reads spreadsheets, `writing` and
`exports` write packages in the newest schemas.

Bad input never raises: what was not taken is a `Refusal`, and nothing of a hostile archive is taken. All functions are
plain and picklable: they run in a worker process.
"""

from meshery_registry.domain.packages.charts import chart_package, is_chart
from meshery_registry.domain.packages.exports import write_package
from meshery_registry.domain.packages.limits import LIMITS, UNKNOWN, Limits, Origin
from meshery_registry.domain.packages.sheets import read_sheets
from meshery_registry.domain.packages.sources import read_folder, read_source

__all__ = [
    "LIMITS",
    "UNKNOWN",
    "Limits",
    "Origin",
    "chart_package",
    "is_chart",
    "read_folder",
    "read_sheets",
    "read_source",
    "write_package",
]
