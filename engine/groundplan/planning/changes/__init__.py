"""What an update of a deployment changes (spec 5.10): pure, so that a preview is the update itself, not yet done.

`steps` finds what differs between two blueprints with their inputs, `settle` what a value is before anything runs,
`transition` joins both blueprints for the time of the update, `difference` says which instances come, go and change.
`wishes` is what is asked of the update, `choice` what becomes of each instance that stays.
"""
