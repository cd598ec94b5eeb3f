"""All that the author of a plugin sees: contexts, errors, the operation decorator, and a bench to test operations on.

Plugins import this room and nothing else of the engine; the protocols here are written by `runtime`.
"""
