"""What the configuration of the backup exporter says."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from sla_kit.configuration.secrets import Secret
from sla_kit.configuration.values import Duration, Name, Value
from sla_kit.exporters.drill.configuration import Drill
from sla_kit.exporters.sidecar.configuration import SidecarConfiguration

_DAY = 86400.0


class Credentials(Value, frozen=True, kw_only=True):
    """Who asks AWS, or what speaks its protocol, where boto3's own chain (environment, profile, role) won't do."""

    access_key: Secret
    secret_key: Secret
    session_token: Secret | None = None


class Folder(Value, frozen=True, kw_only=True, tag_field="type", tag="folder"):
    """A folder with backups; ``path`` is relative to the configuration's.

    ``region`` is what the label of that name says of it, and tells it from the other places of a target.
    """

    path: str
    region: Name = "local"


class Bucket(Value, frozen=True, kw_only=True, tag_field="type", tag="s3"):
    """A bucket of S3, or of what speaks its protocol at ``endpoint``; names are taken from after ``prefix``.

    ``region`` is AWS's, and what the label of that name says, unless ``name`` says otherwise (of two buckets in one
    region, say). ``ca_file`` holds certificates to trust beside the system's; ``path_style`` is for servers that don't
    know buckets as names of hosts.
    """

    bucket: str
    prefix: str = ""
    region: Name = "us-east-1"
    name: str = ""
    endpoint: str = ""
    credentials: Credentials | None = None
    ca_file: str = ""
    path_style: bool = False


Place = Folder | Bucket


class Reading(Value, frozen=True, kw_only=True):
    """Which backups are read as a whole, once each, and how much of that is done in one run.

    ``declared`` reads those that have a checksum beside them, or a SHA of S3; ``always`` reads all, and finds in most
    forms whether the end is missing; ``never`` leaves it at what the first and last bytes tell. ``auto`` is declared in
    buckets, where reading costs money, and in folders also reads those of which only all bytes tell whether they are
    whole, such as those of gzip.
    """

    which: Literal["auto", "never", "declared", "always"] = "auto"
    bytes_per_run: int = 1 << 30


class Dumps(Value, frozen=True, kw_only=True):
    """Backups of one or several ``targets``, as files or as folders, in one place or in several.

    ``pattern`` says how they are named, below each place: ``{target}``, ``{time:%Y-%m-%dT%H%M}`` (in ``timezone``,
    unless it has ``%z``), ``*`` and ``{anything}`` for parts that don't matter; a folder a backup is told by a ``/``
    at the end. Without a pattern every file right in the place is a backup if its content looks like one, made when it
    was changed last.

    ``every`` is how often one is made. A file is finished once it has not changed for ``settle``, and a folder once it
    has the file ``complete``, if that is said. ``history`` is how many backups before the newest one its size is held
    against, ``gaps_over`` the time in which days without a backup are looked for. Of the newest ``examined`` backups in
    each place the content is looked at. Content of no known form is no backup, unless ``accept_unknown``.
    """

    targets: list[Name]
    places: list[Place]
    kind: Name = "database"
    pattern: str = ""
    timezone: str = "UTC"
    every: Duration = _DAY
    settle: Duration = 120.0
    complete: str = ""
    history: int = 14
    gaps_over: Duration = 7 * _DAY
    examined: int = 1000
    accept_unknown: bool = False
    read: Reading = Reading()
    interval: Duration | None = None
    timeout: Duration | None = None


class Rds(Value, frozen=True, kw_only=True):
    """Snapshots of an RDS ``instance`` or an Aurora ``cluster``, and its window of restorable points in time.

    ``copies`` are the other regions that should hold copies of its snapshots.
    """

    target: Name
    region: Name
    instance: str = ""
    cluster: str = ""
    copies: list[Name] = field(default_factory=list)
    kind: Name = "database"
    endpoint: str = ""
    credentials: Credentials | None = None
    every: Duration = _DAY
    interval: Duration | None = None
    timeout: Duration | None = None


class Wal(Value, frozen=True, kw_only=True):
    """WAL archiving of a PostgreSQL, and to which points in time a restore could go.

    The server at ``url`` (without its password) says what it has archived and what waits; the ``archive`` is looked at
    for what is really there: segments without a gap since a base backup. Best are both. ``segment_size`` (bytes) need
    only be said of an archive without a server whose segments are compressed and have not 16 MiB.
    """

    target: Name
    url: str = ""
    password: Secret | None = None
    archive: Place | None = None
    segment_size: int = 0
    interval: Duration | None = None
    timeout: Duration | None = None


class Velero(Value, frozen=True, kw_only=True):
    """Backups that Velero made of a cluster, in the ``place`` that it keeps them in.

    Those of one ``schedule`` are ``target``'s; without it, those of each schedule are of ``target/schedule``. Backups
    made by hand count only ``by_hand``, and are ``target``'s then.
    """

    target: Name
    place: Place
    schedule: str = ""
    by_hand: bool = False
    kind: Name = "cluster"
    interval: Duration | None = None
    timeout: Duration | None = None


class BackupConfiguration(SidecarConfiguration, frozen=True, kw_only=True):
    """All that the exporter looks after; ``state`` remembers which backups have been read, so none is read twice."""

    interval: Duration = 300.0
    timeout: Duration = 120.0
    dumps: list[Dumps] = field(default_factory=list)
    rds: list[Rds] = field(default_factory=list)
    wal: list[Wal] = field(default_factory=list)
    velero: list[Velero] = field(default_factory=list)
    drill: Drill | None = None
