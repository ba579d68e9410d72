"""Resident memory of a process and all its children, as PSS: pages that are shared count once among their users."""

from __future__ import annotations

from pathlib import Path


def tree(root: int) -> dict[int, str]:
    """The process and its descendants: pid and command line."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    commands = {}
    for pid in found:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        commands[pid] = command.strip()
    return commands


def pss_megabytes(pid: int) -> float:
    """PSS of one process; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    (line,) = [line for line in text.splitlines() if line.startswith("Pss:")]
    return int(line.split()[1]) / 1024


def by_part(root: int) -> dict[str, float]:
    """PSS in MB by what the processes are."""
    parts: dict[str, float] = {}
    for pid, command in tree(root).items():
        name = next(
            (
                name
                for word, name in {
                    "postgres": "PostgreSQL",
                    "nats-server": "NATS",
                    "meshery_meshsync": "MeshSync",
                    "process_beside": "worker processes",
                }.items()
                if word in command
            ),
            "main process" if pid == root else "other",
        )
        parts[name] = parts.get(name, 0.0) + pss_megabytes(pid)
    return parts
