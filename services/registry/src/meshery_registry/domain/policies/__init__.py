"""Policies over designs, in the manner of Kubernetes' admission policies: pure, without clock and I/O.

`documents` reads what people write, `designs` what is judged, `programs` knows CEL, `judging` brings them together,
`rego` reads what an OPA server says, `trials` are a policy's own tests, `verdicts` what becomes of what rules say. CEL
takes long to load and may take long to compute: `programs` and `judging` are for the worker process only.
"""
