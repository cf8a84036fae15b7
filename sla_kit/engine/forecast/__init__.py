"""What is to be expected: when error budgets run out, and what a coming live event needs. Pure, as all of the engine.

`hours` cuts past and future into hours, `usual` knows the week's traffic, `bursts` the past live events; `courses`
puts futures together, `outlook` holds them against a budget (with and without each live event), `capacity` tells what
an event needs, and `scoring` how good a forecast was.
"""
