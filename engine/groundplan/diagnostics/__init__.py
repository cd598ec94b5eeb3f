"""How the engine speaks to people: places in a text, diagnostics, and their rendering.

This room is the ground of the house: it uses the standard library only and knows nothing of blueprints.
"""
