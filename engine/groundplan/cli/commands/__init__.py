"""One module for each noun that people type; loaded when its command is asked for."""
