"""The built-in workflows (spec 4.4, 5), one module each; `table` finds them by the name that blueprints map to.

They plan tasks and their order only: running, retrying and recording are the driver's.
"""
