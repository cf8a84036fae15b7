"""Prometheus rules as values, and those that follow from the promises: recordings, burn-rate alerts, their tests.

`model` is what every rule is, whoever made it (an SLO here, an area of `sla_kit.alert_rules`); writing them to files is
`sla_kit.generate`'s.
"""
