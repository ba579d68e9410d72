"""The rules of designs: pure functions over plain data. No await, no clock, no I/O.

`design_files` keeps design files and their versions, `manifests` turns
Kubernetes documents into components and back, `plans` orders and compares objects, `healths` reads their state.
"""
