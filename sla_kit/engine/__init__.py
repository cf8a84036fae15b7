"""The engine: timelines and promises in, figures out. Pure: no clock, no network, no files.

`evaluate.judge` judges one SLO, `evaluate.conclude` makes the whole answer; `results` are the answers' shapes.
"""
