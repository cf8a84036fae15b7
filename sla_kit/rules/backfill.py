"""Filling recordings from the samples that a server has already, so that long windows are there from the first day.

promtool evaluates recording rules over the past and writes blocks (prometheus.io/docs/prometheus/latest/storage,
"Backfilling for recording rules"). It can't read in one run what it writes in the same one; what is recorded here needs
no more, since all of it comes straight from samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from shlex import quote

from sla_kit.catalogue.model import Catalogue
from sla_kit.rules.model import RuleFile
from sla_kit.rules.recordings import RATE, SHORT_SECONDS
from sla_kit.rules.slo import base_rules, longest_window

#: So much of the past is evaluated at a time, in seconds: a run that is stopped loses no more than this.
SLICE_SECONDS = 86400


@dataclass(frozen=True, slots=True)
class Backfill:
    """Rules to be evaluated over the past, from ``reach_seconds`` ago on."""

    rules: RuleFile
    reach_seconds: int


def backfills(catalogue: Catalogue) -> tuple[Backfill, ...]:
    """What has to be filled: rates for the short windows, buckets for the long ones; empty where there is none."""
    found: list[Backfill] = []
    for name, groups in base_rules(catalogue).items():
        for kind in ("rates", "buckets"):
            chosen = tuple(
                replace(group, rules=rules)
                for group in groups
                if (rules := tuple(rule for rule in group.rules if (_record(rule) == RATE) is (kind == "rates")))
            )
            if chosen:
                reach = SHORT_SECONDS if kind == "rates" else longest_window(catalogue)
                found.append(Backfill(RuleFile(f"{name}-{kind}", chosen, "For promtool; see backfill.sh."), reach))
    return tuple(found)


def script(filled: Sequence[Backfill]) -> str:
    """A POSIX shell script that fills the recordings; the rules stand beside it, one file each."""
    lines = [f"fill {quote(each.rules.name + '.yml')} {each.reach_seconds}" for each in filled]
    return _SCRIPT.replace("@FILL@", "\n".join(lines)).replace("@SLICE@", str(SLICE_SECONDS))


def job(
    config_maps: Sequence[str], *, namespace: str = "monitoring", image: str = "prom/prometheus:v3.5.0"
) -> dict[str, object]:
    """A Kubernetes Job that runs the script on the volume of a Prometheus; the script and its rules come from
    ConfigMaps."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "sla-kit-backfill",
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": "sla-kit"},
        },
        "spec": {
            "backoffLimit": 3,
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": "sla-kit-backfill"}},
                "spec": {
                    "restartPolicy": "OnFailure",
                    "securityContext": {"runAsUser": 65534, "runAsNonRoot": True, "fsGroup": 65534},
                    "containers": [
                        {
                            "name": "backfill",
                            "image": image,
                            "command": ["/bin/sh", "/backfill/backfill.sh"],
                            "args": ["--url", "http://prometheus-operated:9090", "--out", "/prometheus"],
                            "volumeMounts": [
                                {"name": "rules", "mountPath": "/backfill", "readOnly": True},
                                {"name": "data", "mountPath": "/prometheus"},
                            ],
                        }
                    ],
                    "volumes": [
                        {
                            "name": "rules",
                            "projected": {"sources": [{"configMap": {"name": name}} for name in config_maps]},
                        },
                        {"name": "data", "persistentVolumeClaim": {"claimName": "prometheus-data"}},
                    ],
                },
            },
        },
    }


def _record(rule: object) -> str:
    return str(getattr(rule, "record", ""))


_SCRIPT = """\
#!/bin/sh
# Fills the recordings of the SLOs from the samples that a Prometheus has, so that long windows are there at once.
# Written by sla-kit; what it evaluates stands in the files beside it.
set -eu

usage() {
  cat <<'END'
backfill.sh [--url URL] [--out DIR] [--until SECONDS] [--promtool PROGRAM]

  --url URL       the Prometheus that has the samples (default http://localhost:9090)
  --out DIR       where the blocks go (default ./backfilled). Give the server's own data folder, and it finds them by
                  itself within minutes; from elsewhere, move them there.
  --until TIME    fill up to this moment, in seconds since the epoch (default: now)
  --promtool P    the promtool to use (default: the one on the PATH)

What is filled already is not filled again: a run that was stopped goes on where it was. To begin anew, remove
DIR/.sla-kit-backfill.
A server can't fill more than it keeps: look at its retention if windows stay empty.
END
}

url=http://localhost:9090 out=backfilled until=$(date +%s) promtool=promtool
while [ $# -gt 0 ]; do
  case $1 in
    -h|--help) usage; exit 0 ;;
    --url|--out|--until|--promtool)
      [ $# -ge 2 ] || { echo "backfill.sh: $1 needs a value" >&2; exit 2; }
      case $1 in
        --url) url=$2 ;;
        --out) out=$2 ;;
        --until) until=$2 ;;
        --promtool) promtool=$2 ;;
      esac
      shift 2 ;;
    *) echo "backfill.sh: unknown argument $1" >&2; usage >&2; exit 2 ;;
  esac
done
fail() { echo "backfill.sh: $1" >&2; exit 2; }
case $until in *[!0-9]*|'') fail "--until wants seconds since the epoch, not $until" ;; esac
command -v "$promtool" >/dev/null 2>&1 || fail "there is no $promtool; it comes with Prometheus"
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
done_in=$out/.sla-kit-backfill
mkdir -p "$done_in"

# Whole slices, so that a second run asks for the same ones.
fill() { # RULES REACH
  start=$(((until - $2) / @SLICE@ * @SLICE@))
  digest=$(cksum <"$here/$1" | cut -d' ' -f1)
  while [ "$start" -lt "$until" ]; do
    end=$(((start / @SLICE@ + 1) * @SLICE@))
    [ "$end" -le "$until" ] || end=$until
    mark=$done_in/$1-$digest-$end
    if [ ! -e "$mark" ]; then
      echo "$1: $start to $end"
      "$promtool" tsdb create-blocks-from rules --quiet --url "$url" --start "$start" --end "$end" \\
        --output-dir "$out" "$here/$1"
      : >"$mark"
    fi
    start=$end
  done
}

@FILL@
echo "Filled. The blocks are in $out."
"""
