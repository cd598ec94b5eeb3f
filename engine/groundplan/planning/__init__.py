"""Planning: from a blueprint, inputs and what exists to what has to be done. Pure and repeatable.

Nothing here reads text (`dsl`), stores (`state`) or runs (`runtime`); time and randomness are arguments.
"""
