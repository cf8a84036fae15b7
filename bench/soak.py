"""An exporter under scrapes without a break, while the PostgreSQL that it asks is killed and started again.

    python -m bench.soak [--scrapes 10000] [--parallel 50] [--outages 5]

Leaves with 1 where a scrape was not answered with 200 and a whole page (a source that is down shows no value), or where
the resident memory's median of the last third of the time is more than 3 MB above that of the first.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.exporters.sidecar.soaking import soak

_NOISE_BYTES = 3_000_000


def main() -> None:
    """Runs it and prints what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scrapes", type=int, default=10_000)
    parser.add_argument("--parallel", type=int, default=50)
    parser.add_argument("--outages", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seen = soak(Path(folder), scrapes=options.scrapes, parallel=options.parallel, outages=options.outages)
    first, last = seen.growth()
    print(f"{seen.scrapes} scrapes, {options.parallel} at a time, in {seen.seconds:.0f} s; {seen.outages} outages")
    print(f"answers by status: {dict(seen.statuses)}; with the source up {seen.up}, down {seen.down}")
    print(f"resident memory: {first / 1e6:.1f} MB in the first third, {last / 1e6:.1f} MB in the last")
    for each in seen.broken[:10]:
        print(f"broken: {each}")
    if set(seen.statuses) != {200} or seen.broken or last - first > _NOISE_BYTES:
        sys.exit(1)


if __name__ == "__main__":
    main()
