"""The built-in workflows (spec 4.4, 5), one module each; `table` finds them by the name that blueprints map to."""
