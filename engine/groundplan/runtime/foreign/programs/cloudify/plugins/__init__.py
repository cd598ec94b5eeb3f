"""Parts of the built-in workflows that custom ones may use."""
