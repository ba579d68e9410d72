"""The rules of the registry: pure functions over plain data. No await, no clock, no I/O.

`openapi` reads kinds out of a cluster's documents, `schemas` turns their schemas into plain JSON Schema, `names`
makes names, versions and ids, `definitions` holds what is stored, `documents` writes it as clients read it.
`packages` reads every other source of definitions into `entities` and writes packages.
"""
