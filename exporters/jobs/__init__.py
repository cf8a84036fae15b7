"""Metrics of batch jobs, which end before anybody could scrape them: pushed to a Pushgateway, or left in a text file
for node_exporter.

```python
with sla_kit.exporters.job("nightly-report", expected_every="1d") as run:
    run.processed(len(rows), "rows")
```
"""

from __future__ import annotations

from sla_kit.exporters.jobs.pushgateway import Pushgateway
from sla_kit.exporters.jobs.running import Job, Run, job
from sla_kit.exporters.jobs.termination import Terminated
from sla_kit.exporters.jobs.textfile import Textfile

__all__ = ["Job", "Pushgateway", "Run", "Terminated", "Textfile", "job"]
