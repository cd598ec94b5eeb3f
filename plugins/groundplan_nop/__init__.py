"""A plugin that does nothing, on request slowly or with failures: for rehearsing blueprints and testing the engine."""
