"""What a driver and the process of a custom workflow say to each other: requests become tasks, outcomes answers.

It owns no loop and no transaction: a driver calls it in its one thread (`local`, `temporal.conversing`). How the
process is run is `foreign.workflow_process`' work, which tasks a request means `planning`'s.
"""
