"""What is wrong with a backup configuration beyond its types."""

from __future__ import annotations

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.exporters.backup.aws import check_credentials, check_endpoint
from sla_kit.exporters.backup.configuration import BackupConfiguration, Bucket, Dumps, Folder, Place, Rds, Wal
from sla_kit.exporters.backup.naming import Pattern, PatternError, zone_of
from sla_kit.exporters.drill.configuration import check_drill
from sla_kit.exporters.postgresql import check_server
from sla_kit.exporters.sidecar.configuration import check_schedule

_MIXED = "its metrics would be mixed up"


def rules(configuration: BackupConfiguration, findings: Findings) -> None:
    """Says all that is wrong."""
    taken: dict[tuple[str, str], Part] = {}
    for index, dumps in enumerate(configuration.dumps):
        _dumps(dumps, ("dumps", index), taken, findings)
    for index, rds in enumerate(configuration.rds):
        part: Part = ("rds", index)
        _take(rds.kind, rds.target, part, taken, findings)
        _rds(rds, part, findings)
    for index, wal in enumerate(configuration.wal):
        _wal(wal, ("wal", index), findings)
    for index, velero in enumerate(configuration.velero):
        part = ("velero", index)
        _take(velero.kind, velero.target, part, taken, findings)
        _place(velero.place, (*part, "place"), findings)
    for name in ("dumps", "rds", "wal", "velero"):
        for index, each in enumerate(getattr(configuration, name)):
            check_schedule(configuration.schedule(each.interval, each.timeout), findings, (name, index))
    windows = [(("rds", index), rds.target) for index, rds in enumerate(configuration.rds)]
    windows += [(("wal", index), wal.target) for index, wal in enumerate(configuration.wal)]
    for index, (where, target) in enumerate(windows):
        if target in [before for _, before in windows[:index]]:
            findings.say((*where, "target"), f"the points in time of {target} are there already", _MIXED)
    check_drill(configuration.drill, [name for dumps in configuration.dumps for name in dumps.targets], findings)
    if not any((configuration.dumps, configuration.rds, configuration.wal, configuration.velero)):
        findings.say((), "names no backups", "say dumps, rds, wal or velero; --example prints a configuration")


def _dumps(dumps: Dumps, part: Part, taken: dict[tuple[str, str], Part], findings: Findings) -> None:
    if not dumps.targets:
        findings.say((*part, "targets"), "names no target", "such as [shop]")
    for index, target in enumerate(dumps.targets):
        _take(dumps.kind, target, (*part, "targets", index), taken, findings)
    if not dumps.places:
        findings.say((*part, "places"), "names no place", "such as [{type: folder, path: /var/backups}]")
    regions: set[str] = set()
    for index, place in enumerate(dumps.places):
        here = (*part, "places", index)
        _place(place, here, findings)
        region = region_of(place)
        if region in regions:
            hint = "give a bucket a name, or a folder another region: the metrics' label region tells places apart"
            findings.say(here, f"is the second place in {region}", hint)
        regions.add(region)
    _naming(dumps, part, findings)
    for name, least in (("every", 60.0), ("gaps_over", 86400.0)):
        if getattr(dumps, name) < least:
            findings.say((*part, name), f"must be at least {'1m' if least == 60 else '1d'}")
    if dumps.history < 1:
        findings.say((*part, "history"), "must be at least 1", "of how many backups the median size is taken")
    if not 1 <= dumps.examined <= 10_000:
        findings.say((*part, "examined"), "must be from 1 to 10000", "how many of the newest backups are looked into")
    if dumps.read.bytes_per_run < 1 << 20:
        findings.say((*part, "read", "bytes_per_run"), "must be at least 1048576", "or say which: never")


def _naming(dumps: Dumps, part: Part, findings: Findings) -> None:
    try:
        zone_of(dumps.timezone)
    except PatternError as error:
        findings.say((*part, "timezone"), str(error), error.hint)
    try:
        pattern = Pattern(dumps.pattern, "target")
    except PatternError as error:
        findings.say((*part, "pattern"), f"{dumps.pattern!r} {error}", error.hint)
        return
    if len(dumps.targets) > 1 and "{target}" not in dumps.pattern:
        hint = "write {target} where their names stand"
        findings.say((*part, "pattern"), "does not tell the targets apart", hint)
    if dumps.complete and not pattern.folders:
        hint = "a pattern ends in / where each backup is a folder"
        findings.say((*part, "complete"), "is for backups that are folders", hint)


def region_of(place: Place) -> str:
    """What the label region says of a place."""
    return place.region if isinstance(place, Folder) else place.name or place.region


def _place(place: Place, part: Part, findings: Findings) -> None:
    if isinstance(place, Folder):
        if not place.path.strip():
            findings.say((*part, "path"), "is empty", "such as /var/backups")
        return
    _bucket(place, part, findings)


def _bucket(bucket: Bucket, part: Part, findings: Findings) -> None:
    if not bucket.bucket or "/" in bucket.bucket:
        findings.say((*part, "bucket"), f"{bucket.bucket!r} is no bucket", "its bare name; prefix is apart")
    check_endpoint(bucket.endpoint, findings, (*part, "endpoint"))
    check_credentials(bucket.credentials, findings, (*part, "credentials"))


def _rds(rds: Rds, part: Part, findings: Findings) -> None:
    if bool(rds.instance) == bool(rds.cluster):
        findings.say(part, "must say one of instance and cluster", "such as instance: shop-production")
    if rds.region in rds.copies:
        findings.say((*part, "copies"), f"has {rds.region}, where the database is", "name other regions")
    check_endpoint(rds.endpoint, findings, (*part, "endpoint"))
    check_credentials(rds.credentials, findings, (*part, "credentials"))


def _wal(wal: Wal, part: Part, findings: Findings) -> None:
    if not wal.url and wal.archive is None:
        findings.say(part, "must say url or archive, or both", "such as url: postgresql://monitor@db.example/postgres")
    if wal.url:
        check_server(wal.url, wal.password, findings, part)
    elif wal.password is not None:
        findings.say((*part, "password"), "is of no use without url")
    if wal.archive is not None:
        _place(wal.archive, (*part, "archive"), findings)
    size = wal.segment_size
    if size and (size & (size - 1) or not 1 << 20 <= size <= 1 << 30):
        findings.say(
            (*part, "segment_size"), "must be a power of 2 from 1 MiB to 1 GiB", "16777216 is PostgreSQL's own"
        )


def _take(kind: str, target: str, part: Part, taken: dict[tuple[str, str], Part], findings: Findings) -> None:
    if (kind, target) in taken:
        findings.say(part, f"the {kind} {target.strip()} is there already", _MIXED)
    taken.setdefault((kind, target), part)
