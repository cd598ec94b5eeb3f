"""The door for editors: a language server. It reads buffers with the parser of `dsl` and adds no rule of its own.

`server` speaks the protocol; `analysis`, `outline`, `completion`, `hover` and `naming` know texts and nothing of it.
"""
