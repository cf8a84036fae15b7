"""Runs a command as a job: ``python -m sla_kit.exporters.jobs NAME -- command…``."""

from sla_kit.exporters.jobs.command import main

if __name__ == "__main__":
    main()
