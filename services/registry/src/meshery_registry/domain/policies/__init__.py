"""Policies over designs, in the manner of Kubernetes' admission policies: pure, without clock and I/O.

`documents` reads what people write, `designs` what is judged, `programs` knows CEL, `judging` brings them together,
`trials` runs a policy's own tests. CEL takes long to load and may take long to compute: `programs`, `judging` and
`trials` are for the worker process only.
"""
