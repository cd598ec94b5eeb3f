"""From text to a typed blueprint: the language.

`compile` is the one way in for blueprints, `reader.read_data` for every other YAML text. Nothing here evaluates a
function (`planning` does), stores anything or fetches anything: what lies elsewhere is asked for through `Fetch`.
"""
