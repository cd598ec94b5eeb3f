"""Real PostgreSQL for the sandbox: found on this computer, run confined, published on loopback addresses.

`programs` finds it, `cluster` runs it in a cell (a machine's own, or one made for it), `server` is the door for who
wants a database without a machine. No protocol of PostgreSQL is emulated.
"""
