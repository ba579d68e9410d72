"""The rules of designs: pure functions over plain data. No await, no clock, no I/O.

`design_files` says what a design file is, `manifests` turns Kubernetes documents into components and back, and `saving`
makes of a text what is stored. `items` and `waves` put a design's objects in order, `plans` compares them with a
cluster's, `steps` says how a run goes on with one and `healths` how one is. `validation` and `policies` judge.
"""
