"""The rules of events: pure functions over plain data. No await, no clock, no I/O.

`facts` turns messages into events, whatever is in them; `redaction` makes what they carry safe to keep and to show.
"""
