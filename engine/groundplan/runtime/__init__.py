"""The hands of the engine: the only room that touches the world.

`local` drives executions on this machine, `attempt` turns one task into an outcome, `registry` finds the functions
behind operations, `foreign` runs scripts. What comes next is decided by `planning.advance`; text is never read here.
"""
