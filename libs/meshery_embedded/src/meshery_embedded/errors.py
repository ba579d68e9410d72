"""What can go wrong with an embedded server, each with what, where and how to mend it."""


class EmbeddedError(Exception):
    """An embedded server could not do what was asked.

    `what` says what failed, `where` names the file, folder or address, `mend` says what a person
    can do about it; `str()` gives all three, each on a line of its own.
    """

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what = what
        self.where = where
        self.mend = mend
        super().__init__(what, where, mend)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"where: {self.where}")
        if self.mend:
            lines.append(f"to mend it: {self.mend}")
        return "\n".join(lines)


class MissingProgramError(EmbeddedError):
    """A program that should come with a package of ours, or with the machine, is not there."""


class PortTakenError(EmbeddedError):
    """The wished port belongs to another process."""


class DataInUseError(EmbeddedError):
    """The data folder belongs to a living server; `pid` is it, or the process that keeps it."""

    def __init__(self, what: str, *, pid: int, where: str = "", mend: str = "") -> None:
        super().__init__(what, where=where, mend=mend)
        self.pid = pid


class DataVersionError(EmbeddedError):
    """The data folder was written by a version that this one cannot read."""


class BuildError(EmbeddedError):
    """The Kubernetes programs could not be built."""


class StartError(EmbeddedError):
    """A child process ended, or was not ready in time, while it started.

    `process` is its name, `log_tail` the last lines that it wrote.
    """

    def __init__(self, what: str, *, process: str, log_tail: str, where: str = "", mend: str = "") -> None:
        super().__init__(what, where=where, mend=mend)
        self.process = process
        self.log_tail = log_tail

    def __str__(self) -> str:
        tail = self.log_tail.strip()
        return f"{super().__str__()}\nlast lines of its log:\n{tail}" if tail else super().__str__()
