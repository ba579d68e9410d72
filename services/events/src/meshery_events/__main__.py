"""`python -m meshery_events`: the events service as a process of its own."""

from meshery_common import runtime
from meshery_events.app import running
from meshery_events.settings import EventsSettings


def main() -> None:
    """Read the settings from the environment and serve until told to stop."""
    runtime.main("events", EventsSettings, running)


if __name__ == "__main__":
    main()
