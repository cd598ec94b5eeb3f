"""The script plugin: runs a blueprint's scripts on the engine's own machine."""
