"""Drives executions on Temporal: the only room that knows its library.

`driver` starts workflows and follows them, `worker` serves them. `workflow` is a thin shell that holds no graph: the
`keeper` of one worker holds it, and `hands` make attempts on any worker. What travels through Temporal is in
`messages`: ids and numbers; everything else goes through the store.
"""
