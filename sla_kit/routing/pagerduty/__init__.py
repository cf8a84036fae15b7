"""PagerDuty: incidents as Events API v2 events, deployments as change events, and its webhooks back."""
