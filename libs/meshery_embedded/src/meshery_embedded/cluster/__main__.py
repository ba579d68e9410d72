"""`python -m meshery_embedded.cluster build|up`: the sandbox cluster by hand."""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from meshery_embedded.cluster.binaries import ensure_binaries
from meshery_embedded.cluster.control_plane import cluster
from meshery_embedded.errors import EmbeddedError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m meshery_embedded.cluster", description=__doc__)
    parser.add_argument("what", choices=("build", "up"), help="build the programs, or run a cluster")
    parser.add_argument("--nodes", type=int, default=2, help="how many nodes (default 2)")
    parser.add_argument("--data", type=Path, help="keep the cluster here (default: a new temporary folder)")
    options = parser.parse_args()
    try:
        if options.what == "build":
            _say(str(asyncio.run(ensure_binaries(_tell))))
        elif options.data is None:
            with tempfile.TemporaryDirectory(prefix="meshery-sandbox-") as folder:
                asyncio.run(_up(Path(folder), options.nodes, durable=False))
        else:
            asyncio.run(_up(options.data, options.nodes, durable=True))
    except EmbeddedError as error:
        _tell(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def _up(data: Path, nodes: int, *, durable: bool) -> None:
    """Run until Ctrl-C, SIGTERM or the death of a process."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with cluster(data=data, nodes=nodes, durable=durable, progress=_tell) as running:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        running.died.add_done_callback(lambda _: stop.set())
        _say(str(running.kubeconfig_path))
        await stop.wait()
        if running.died.done():
            raise running.died.result().start_error("ended unexpectedly")


def _tell(line: str) -> None:
    """What happens goes to standard error, so that standard output is the answer alone."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201  # this is a command line program


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # this is a command line program


if __name__ == "__main__":
    sys.exit(main())
