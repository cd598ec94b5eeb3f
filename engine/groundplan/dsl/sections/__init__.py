"""The sections of a blueprint, one module each.

Every module has a function `read(fields, reading, ...)`: it takes a section's entries as the author wrote them and
returns the section's nouns by name, telling `reading.report` what is wrong. `dsl.compile` calls them in the order
in which they need each other.
"""
