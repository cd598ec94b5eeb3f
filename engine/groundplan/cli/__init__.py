"""The door for people at a terminal: parses what they type, calls one use case of `service`, shows the result."""
