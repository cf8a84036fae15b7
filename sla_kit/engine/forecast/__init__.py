"""What is to be expected: when error budgets run out, and what a coming live event needs. Pure, as all of the engine.

`hours` cuts past and future into hours, `usual` knows the week's traffic, `bursts` the past live events; `outlook` and
`capacity` forecast from these, `risks` compares with and without a live event, and `scoring` says how good it was.
"""
