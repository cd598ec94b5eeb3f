"""The durable truth: deployments, executions, tasks, attempts, outcomes, events and secrets.

`store` says what a store gives, `sql` is the one there is, `seal` keeps values unreadable at rest, `migrations` brings
an older store up to date. Nothing here plans or runs.
"""
