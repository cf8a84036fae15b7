"""Business figures: what falls although every system says that it is well. Each is compared with the same hour a week
earlier, and not with a week in which a live event went on then and none does now."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, counter, counting, gauge, steady

_HOUR, _DAY = 3600.0, 86400.0
_WEEK = 7 * _DAY
_USERS = 'sla_business_active_users{$business, window="%s"}'
_CALLS = 'sla_business_api_requests_total{$business, client="mobile", plan="%s", route="/scores"}'
_FEATURE = 'sla_business_feature_users{$business, cohort="%s", feature="draft"}'
_EVENT = 'sla_event_active{service="web"}'
_USERS_AT = 'sla_business_active_users{$business, instance="%s", window="1h"}'
_FEATURE_AT = 'sla_business_feature_users{$business, instance="%s", cohort="old", feature="draft"}'
_SIGNUPS = "sla_business_signups_total{$business}"
_PAID = 'sla_business_payments_total{$business, outcome="%s"}'
_NO_EVENT_THEN = """unless on () (
              count_over_time(sla_event_active[$window] offset 1w)
              unless on () count_over_time(sla_event_active[$window])
            )"""

AREA = Area(
    name="business",
    title="Business figures (sla-kit exporter business)",
    dashboard="business",
    healthy={
        **{_USERS % window: steady(users) for window, users in (("5m", 900), ("1h", 2000), ("1d", 9000))},
        **{_CALLS % plan: counting(3000) for plan in ("free", "pro")},
        **{_FEATURE % cohort: steady(400) for cohort in ("new", "old")},
        _SIGNUPS: counting(2),
        **{_PAID % outcome: counting(rate) for outcome, rate in (("succeeded", 20), ("declined", 1), ("failed", 0.1))},
    },
    alerts=(
        Alert(
            name="BusinessMetricsMissing",
            exporter="business",
            # The sum drops the job, which absent tells only where there is a single one.
            expression="sum(absent_over_time(sla_business_active_users{$business}[$window])) > 0",
            thresholds={"window": Threshold(900, "window", "how long nothing may be told")},
            severity="warning",
            summary="Nothing is known of the business figures",
            description="For [[window]] nobody has told how many users are active: the exporter is down, not scraped, "
            "or its job is called otherwise. Falling figures would go unseen.",
            missing_fires=True,
            cases=(
                Breach(
                    series={_USERS % "1h": gauge(2000, None)},
                    labels={},
                    value=1,
                    lag=900,  # the last sample, a minute before, has left the window
                    clears=0,
                    keeps=False,
                    says="For 15m nobody has told how many users are active: the exporter is down, not scraped, or its "
                    "job is called otherwise. Falling figures would go unseen.",
                ),
                Quiet(name="nobody is active", series={_USERS % "1h": steady(0)}),
            ),
        ),
        Alert(
            name="ActiveUsersDropped",
            exporter="business",
            # Not by instance: an exporter that was replaced within the week has another.
            expression=f"""
            max by ($keep) (avg_over_time(sla_business_active_users{{$business, window="1h"}}[$window]))
            / (
              max by ($keep) (avg_over_time(sla_business_active_users{{$business, window="1h"}}[$window] offset 1w))
              > $users
            ) < $ratio
            {_NO_EVENT_THEN}""",
            thresholds={
                "ratio": Threshold(0.5, "ratio", "how much of last week's users must be there"),
                "users": Threshold(50, "count", "how few users last week prove nothing"),
                "window": Threshold(_HOUR, "window", "over which users are averaged"),
            },
            pending=1800,
            keep_firing_for=1800,
            severity="warning",
            summary="Far fewer users are active than a week ago",
            description="{{ $value | humanizePercentage }} of the users of the same hour last week are active, under "
            "[[ratio]].",
            promises=("availability",),
            cases=(
                Breach(
                    series={
                        _USERS % "1h": gauge(
                            lambda t: 20 * t.users,
                            lambda t: 4 * t.users * t.ratio,
                            near=lambda t: 20.2 * t.users * t.ratio,
                        )
                    },
                    labels={},
                    value=lambda t: 0.2 * t.ratio,
                    healthy=8 * _DAY,
                    step=900,
                    lag=1800,  # three of five quarters of an hour
                    settles=_HOUR,
                    says="10% of the users of the same hour last week are active, under 50 %.",
                ),
                Breach(
                    name="the exporter was replaced within the week",
                    series={
                        _USERS_AT % "old": gauge(lambda t: 20 * t.users, None),
                        _USERS_AT % "new": gauge(None, lambda t: 4 * t.users * t.ratio),
                        _EVENT: steady(1),  # now as a week ago
                    },
                    labels={},
                    value=lambda t: 0.2 * t.ratio,
                    healthy=8 * _DAY,
                    step=2700,  # no divisor of the window: whether its edge belongs to it differs between versions
                    lag=2700,
                    clears=0,
                    says="10% of the users of the same hour last week are active, under 50 %.",
                ),
                Quiet(
                    name="hardly anybody a week ago",
                    series={_USERS % "1h": gauge(lambda t: 0.9 * t.users, 0)},
                    healthy=8 * _DAY,
                    lasts=6 * _HOUR,
                    step=900,
                ),
                Quiet(
                    name="a live event went on a week ago",
                    series={
                        _USERS % "1h": gauge(lambda t: 20 * t.users, lambda t: 4 * t.users * t.ratio),
                        _EVENT: gauge(1, None),
                    },
                    healthy=8 * _DAY,
                    lasts=6 * _HOUR,
                    step=900,
                ),
            ),
        ),
        Alert(
            name="ApiUsageDropped",
            exporter="business",
            expression=f"""
            sum by ($keep, plan) (rate(sla_business_api_requests_total{{$business}}[$window]))
            / (sum by ($keep, plan) (rate(sla_business_api_requests_total{{$business}}[$window] offset 1w)) > $traffic)
            < $ratio
            {_NO_EVENT_THEN}""",
            thresholds={
                "ratio": Threshold(0.4, "ratio", "how much of last week's calls must come"),
                "traffic": Threshold(1, "count", "how few calls a second last week prove nothing"),
                "window": Threshold(_HOUR, "window", "over which calls are counted"),
            },
            pending=1800,
            keep_firing_for=1800,
            severity="warning",
            summary="Clients on plan {{ $labels.plan }} call the API far less than a week ago",
            description="{{ $value | humanizePercentage }} of the calls of the same hour last week come from clients "
            "on plan {{ $labels.plan }}, under [[ratio]].",
            promises=("availability",),
            cases=(
                Breach(
                    series={
                        _CALLS % "pro": counter(
                            lambda t: 6000 * t.traffic, 0, near=lambda t: 6060 * t.traffic * t.ratio
                        )
                    },
                    labels={"plan": "pro"},
                    value=0,
                    healthy=8 * _DAY,
                    step=2700,  # no divisor of the window: whether its edge belongs to it differs between versions
                    says="0% of the calls of the same hour last week come from clients on plan pro, under 40 %.",
                ),
                Breach(
                    name="while a live event goes on as a week ago",
                    series={_CALLS % "pro": counter(lambda t: 6000 * t.traffic, 0), _EVENT: steady(1)},
                    labels={"plan": "pro"},
                    value=0,
                    healthy=8 * _DAY,
                    step=2700,
                    says="0% of the calls of the same hour last week come from clients on plan pro, under 40 %.",
                ),
                Quiet(
                    name="a live event went on a week ago",
                    series={_CALLS % "pro": counter(lambda t: 6000 * t.traffic, 0), _EVENT: gauge(1, None)},
                    healthy=8 * _DAY,
                    lasts=_DAY,
                    step=2700,
                ),
                Quiet(
                    name="hardly any calls a week ago",
                    series={_CALLS % "pro": counter(lambda t: 54 * t.traffic, 0)},
                    healthy=8 * _DAY,
                    lasts=_DAY,
                    step=2700,
                ),
            ),
        ),
        Alert(
            name="SignupsDropped",
            exporter="business",
            expression=f"""
            sum by ($keep) (increase(sla_business_signups_total{{$business}}[$window]))
            / (sum by ($keep) (increase(sla_business_signups_total{{$business}}[$window] offset 1w)) > $signups)
            < $ratio
            {_NO_EVENT_THEN}""",
            thresholds={
                "ratio": Threshold(0.3, "ratio", "how much of last week's sign-ups must come"),
                "signups": Threshold(20, "count", "how few sign-ups last week prove nothing"),
                "window": Threshold(6 * _HOUR, "window", "over which sign-ups are counted"),
            },
            pending=1800,
            keep_firing_for=3600,
            severity="warning",
            summary="Hardly anybody signs up",
            description="{{ $value | humanizePercentage }} of the sign-ups of the same hours last week came within "
            "[[window]], under [[ratio]].",
            cases=(
                Breach(
                    series={_SIGNUPS: counter(lambda t: t.signups, 0, near=lambda t: t.signups * t.ratio * 1.05)},
                    labels={},
                    value=0,
                    healthy=8 * _DAY,
                    step=6300,  # no divisor of the window
                    lag=12600,  # all of its three stretches stand still
                    says="0% of the sign-ups of the same hours last week came within 6h, under 30 %.",
                ),
                Breach(
                    name="while a live event goes on as a week ago",
                    series={_SIGNUPS: counter(lambda t: t.signups, 0), _EVENT: steady(1)},
                    labels={},
                    value=0,
                    healthy=8 * _DAY,
                    step=6300,
                    lag=12600,
                    says="0% of the sign-ups of the same hours last week came within 6h, under 30 %.",
                ),
                Quiet(
                    name="hardly anybody a week ago",
                    series={_SIGNUPS: counter(lambda t: t.signups / 500, 0)},
                    healthy=8 * _DAY,
                    lasts=_DAY,
                    step=6300,
                ),
                Quiet(
                    name="a live event went on a week ago",
                    series={
                        _SIGNUPS: counter(lambda t: t.signups, 0),
                        _EVENT: gauge(1, None),
                    },
                    healthy=8 * _DAY,
                    lasts=_DAY,
                    step=6300,
                ),
            ),
        ),
        Alert(
            name="FeatureAbandoned",
            exporter="business",
            # An exporter that was replaced within the day told the same users twice.
            expression="""
                sum by ($keep, feature) (
                  max by ($keep, feature, cohort) (avg_over_time(sla_business_feature_users{$business}[$window]))
                )
                / (
                  sum by ($keep, feature) (
                    max by ($keep, feature, cohort) (
                      avg_over_time(sla_business_feature_users{$business}[$window] offset 1w)
                    )
                  ) > $users
                ) < $ratio""",
            thresholds={
                "ratio": Threshold(0.5, "ratio", "how much of last week's users a feature must keep"),
                "users": Threshold(50, "count", "how few users last week prove nothing"),
                "window": Threshold(_DAY, "window", "over which users are averaged"),
            },
            pending=6 * _HOUR,
            severity="info",
            summary="Users leave {{ $labels.feature }}",
            description="{{ $labels.feature }} has {{ $value | humanizePercentage }} of the users that it had last "
            "week, under [[ratio]].",
            cases=(
                Breach(
                    series={
                        _FEATURE % "old": gauge(
                            lambda t: 20 * t.users,
                            lambda t: 0.4 * t.users,
                            near=lambda t: 20.2 * t.users * t.ratio,
                        ),
                        _FEATURE % "new": steady(0),
                    },
                    labels={"feature": "draft"},
                    value=0.02,
                    healthy=9 * _DAY,
                    step=6300,  # no divisor of the window: whether its edge belongs to it differs between versions
                    lag=44100,  # eight of 14 samples
                    settles=_DAY,
                    says="draft has 2% of the users that it had last week, under 50 %.",
                ),
                Quiet(
                    name="hardly anybody used it a week ago",
                    series={_FEATURE % "old": gauge(lambda t: 0.9 * t.users, 0)},
                    healthy=9 * _DAY,
                    lasts=4 * _DAY,
                    step=6300,
                ),
                Quiet(
                    name="the exporter was replaced a week ago",
                    series={
                        _FEATURE_AT % "old": gauge(lambda t: 20 * t.users, None),
                        _FEATURE_AT % "new": gauge(None, lambda t: 20 * t.users * min(1, t.ratio * 1.9)),
                    },
                    healthy=2 * _DAY,
                    lasts=7.5 * _DAY,  # a week earlier it was told by both
                    step=6300,
                ),
            ),
        ),
        Alert(
            name="PaymentsFailing",
            exporter="business",
            expression="""
                sum by ($keep) (increase(sla_business_payments_total{$business, outcome="failed"}[$window]))
                / (sum by ($keep) (increase(sla_business_payments_total{$business}[$window])) > $payments)
                > $ratio""",
            thresholds={
                "ratio": Threshold(0.2, "ratio", "how many payments may fail for technical reasons"),
                "payments": Threshold(10, "count", "how few payments in the window prove nothing"),
                "window": Threshold(900, "window", "over which payments are counted"),
            },
            pending=120,
            keep_firing_for=600,
            severity="critical",
            summary="Payments fail",
            description="{{ $value | humanizePercentage }} of the payments within [[window]] failed, over [[ratio]]; "
            "those that a bank declined are not among them.",
            promises=("error-rate",),
            cases=(
                Breach(
                    series={
                        _PAID % "succeeded": counter(
                            lambda t: 6 * t.payments, 0, near=lambda t: 6 * t.payments * (1 - 0.97 * t.ratio)
                        ),
                        _PAID % "failed": counter(
                            0, lambda t: 60 * t.payments, near=lambda t: 6 * t.payments * 0.97 * t.ratio
                        ),
                    },
                    labels={},
                    value=1,
                    settles=900,
                    says="100% of the payments within 15m failed, over 20 %; those that a bank declined are not among "
                    "them.",
                ),
                Quiet(
                    name="banks decline",
                    series={_PAID % "succeeded": counting(10), _PAID % "declined": counting(10)},
                ),
                Quiet(name="one payment at night, which failed", series={_PAID % "failed": counting(0.05)}),
            ),
        ),
        Alert(
            name="PaymentsStopped",
            exporter="business",
            expression="""
                sum by ($keep) (increase(sla_business_payments_total{$business, outcome="succeeded"}[$window])) == 0
                and on ($keep) (
                  sum by ($keep) (
                    increase(sla_business_payments_total{$business, outcome="succeeded"}[$window] offset 1w)
                  ) > $payments
                )""",
            thresholds={
                "payments": Threshold(20, "count", "how few payments last week prove nothing"),
                "window": Threshold(_HOUR, "window", "in which no payment may be none"),
            },
            pending=300,
            keep_firing_for=600,
            severity="critical",
            summary="No payment comes through",
            description="{{ $value }} payments succeeded within [[window]]; in the same hour last week there were more "
            "than [[payments]].",
            promises=("availability",),
            inhibited_by=("PaymentsFailing",),
            cases=(
                Breach(
                    series={_PAID % "succeeded": counter(lambda t: t.payments, 0, near=1)},
                    labels={},
                    value=0,
                    healthy=8 * _DAY,
                    step=2700,  # no divisor of the window
                    says="0 payments succeeded within 1h; in the same hour last week there were more than 20.",
                ),
                Quiet(
                    name="hardly any a week ago",
                    series={_PAID % "succeeded": counter(lambda t: t.payments / 100, 0)},
                    healthy=8 * _DAY,
                    lasts=_DAY,
                    step=2700,
                ),
            ),
        ),
    ),
)
