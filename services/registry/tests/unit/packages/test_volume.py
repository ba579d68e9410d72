"""As much as a package may hold, in bounded time and memory, in a process of its own as in production."""

from __future__ import annotations

import subprocess
import sys

_WORK = """
import pathlib, re, time
import orjson
from meshery_registry.domain.entities import ComponentEntity, ModelEntity, Package
from meshery_registry.domain.packages import read_source, write_package

text = {"type": "string", "description": "What it is for, at some length."}
fields = {f"field{number}": text for number in range(60)}

def component(number):
    schema = {"type": "object", "properties": {**fields, f"own{number}": {"type": "integer", "maximum": number}}}
    text = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS).decode()
    return ComponentEntity(f"Kind{number:05}", "example.io/v1", f"Kind {number}", schema=text)

package = Package(
    ModelEntity("large", "v1.0.0", "Large", registrant_kind="github"),
    components=tuple(component(number) for number in range(10_000)),
)
began = time.process_time()
written = write_package(package)
wrote = time.process_time() - began
began = time.process_time()
readings = read_source("large.tar", written)
read = time.process_time() - began
assert readings.packages == (package,), readings.refused
# Not `ru_maxrss`, which a process begins with the size of the one that started it.
status = pathlib.Path("/proc/self/status").read_text()
print(wrote, read, int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) / 1024)
"""


def test_ten_thousand_components() -> None:
    done = subprocess.run([sys.executable, "-c", _WORK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wrote, read, mebibytes = map(float, done.stdout.split())
    print(f"10,000 components: written in {wrote:.1f} s, read in {read:.1f} s, {mebibytes:.0f} MiB at most")
    assert wrote < 20
    assert read < 20
    assert mebibytes < 1024
