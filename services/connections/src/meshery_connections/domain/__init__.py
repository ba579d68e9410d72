"""The rules of connections, pure: no await, no clock, no I/O."""
