"""The nouns of the engine: frozen data without input, output or YAML.

Nothing here reads, stores, evaluates or runs; `dsl`, `state`, `planning` and `runtime` do.
"""
