"""The evaluation of relationships: which components of a design belong together, and what follows from it.

`compiling` makes `definitions` of what the registry holds, and `catalogue` finds what a kind takes part in. `state`
holds a design with its `indexes`; one module per policy class decides (`pairings`, `bindings`, `parents`, `aliases`,
`siblings`); `patches` carries values over and takes them back. `session` goes round until nothing follows, `actions`
says what happened. `beside` runs it in a worker process.
"""
