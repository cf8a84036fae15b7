"""rsyslog's configuration: files of logs into the data stream, through a queue that goes on disk while the cluster is
away, each line once.

The parameters are those of rsyslog 8.2302 and later (rsyslog.com/doc/configuration/modules/omelasticsearch.html). User
name and password are those of the daemon's environment, and in no file.
"""

from __future__ import annotations

from collections.abc import Iterator

from sla_kit.catalogue.model import Catalogue
from sla_kit.elk import names
from sla_kit.elk.lines import FIRST_LINE, LONGEST_RECORD, Shipping

SPOOL = "/var/spool/rsyslog"
_HEAD = "# Written by sla-kit from the catalogue; change that, and generate again."
_USERNAME, _PASSWORD = "SLA_KIT_ELASTICSEARCH_USERNAME", "SLA_KIT_ELASTICSEARCH_PASSWORD"


def configuration(catalogue: Catalogue, shipping: Shipping) -> str:
    """The text of ``rsyslog.d/sla-kit.conf``."""
    return "\n".join(_parts(catalogue, shipping))


def _parts(catalogue: Catalogue, shipping: Shipping) -> Iterator[str]:
    spool = shipping.spool or SPOOL
    yield f"{_HEAD}\n"
    yield _modules(spool)
    yield _TEMPLATES
    for service in catalogue.services:
        yield _input(service.name, shipping)
    yield _record(catalogue)
    yield _shipping(names.stream_name(catalogue), shipping, spool)


def _modules(spool: str) -> str:
    return f"""\
global(maxMessageSize="{LONGEST_RECORD // 1024}k")
module(load="imfile" mode="inotify" statefile.directory={quoted(spool)})
module(load="mmjsonparse")
module(load="fmhash")
module(load="omelasticsearch")
"""


_TEMPLATES = """\
template(name="sla_kit_document" type="list") { property(name="$!all-json-plain") }
template(name="sla_kit_id" type="list") { property(name="$.sla_kit_id") }
template(name="sla_kit_now" type="list") { property(name="timegenerated" dateFormat="rfc3339" date.inUTC="on") }
template(name="sla_kit_refused" type="list") {
  constant(value="{\\"answer\\":") property(name="$.omes") constant(value=",\\"document\\":")
  property(name="$!all-json-plain") constant(value="}\\n")
}
"""


def _input(service: str, shipping: Shipping) -> str:
    return f"""\
input(type="imfile" file={quoted(shipping.pattern(service))} tag={quoted(service)} ruleset="sla_kit_record"
      startmsg.regex={quoted(FIRST_LINE)}
      readTimeout="5" escapeLF="off" addMetadata="on" persistStateInterval="100" persistStateAfterSubmission="on")
"""


def _record(catalogue: Catalogue) -> str:
    """From a record to a document: JSON as it is, another line as ``event.original`` for the ingest pipeline to read,
    and what is known from where it was found."""
    fields = catalogue.logs.fields
    service, environment = _variable(fields.service), _variable(fields.environment)
    message, time = _variable(fields.message), _variable(fields.time)
    arrival = "" if fields.time == "@timestamp" else '  set $!@timestamp = exec_template("sla_kit_now");\n'
    return f"""\
ruleset(name="sla_kit_record") {{
  set $.file = $!metadata!filename;
  set $.offset = $!metadata!fileoffset;
  # A record has the same id however often it is sent, so that the cluster takes it once.
  set $.sla_kit_id = hash64($$myhostname & $.file) & "-" & $.offset & "-" & hash64($msg);
  unset $!metadata;
  action(type="mmjsonparse" cookie="")
  if $parsesuccess != "OK" then {{
    set {message} = $msg;
    set $!event!original = $msg;
  }}
  if not exists({time}) then set {time} = exec_template("sla_kit_now");
{arrival}  if not exists({service}) then set {service} = $syslogtag;
  if not exists({environment}) then set {environment} = {quoted(names.environment(catalogue))};
  if not exists($!event!dataset) then set $!event!dataset = {quoted(names.dataset(catalogue))};
  if not exists($!host!name) then set $!host!name = $$myhostname;
  set $!log!file!path = $.file;
  set $!log!offset = cnum($.offset);
  call sla_kit_ship
}}
"""


def _shipping(stream: str, shipping: Shipping, spool: str) -> str:
    """To the cluster, and what comes back from it: taken already, to be sent again, or refused for good."""
    return f"""\
ruleset(name="sla_kit_ship") {{
  if strlen($.omes!status) > 0 then {{
    # A batch comes back whole where one of it was refused: what was taken, or was there already, is done.
    if $.omes!status == 200 or $.omes!status == 201 or $.omes!status == 409 then stop
    if not ($.omes!status == 429 or $.omes!status >= 500) then {{
      action(type="omfile" file={quoted(f"{spool}/sla-kit-refused.ndjson")} template="sla_kit_refused"
             fileCreateMode="0600")
      stop
    }}
    set $.sla_kit_id = $.omes!_id;
  }}
  action(type="omelasticsearch" server={quoted(_server(shipping))} searchIndex={quoted(stream)} searchType=""
         uid=`echo ${_USERNAME}` pwd=`echo ${_PASSWORD}`
         template="sla_kit_document" bulkId="sla_kit_id" dynBulkId="on" writeOperation="create"
         bulkMode="on" maxBytes="5m" retryFailures="on" retryRuleset="sla_kit_ship"
         errorFile={quoted(f"{spool}/sla-kit-errors.ndjson")}{_tls(shipping)}
         action.resumeRetryCount="-1" action.resumeInterval="2" action.resumeIntervalMax="10"
         queue.type="LinkedList" queue.filename="sla-kit-ship" queue.spoolDirectory={quoted(spool)}
         queue.size="50000" queue.dequeueBatchSize="1000" queue.maxDiskSpace="2g" queue.saveOnShutdown="on"
         queue.checkpointInterval="100" queue.syncQueueFiles="on"
         # A full queue makes the reader of files wait: nothing is thrown away.
         queue.timeoutEnqueue="2147483647" queue.discardSeverity="8" queue.timeoutShutdown="5000")
}}
"""


def _server(shipping: Shipping) -> str:
    """What has a path before its API can't be named: rsyslog knows hosts."""
    return shipping.url.removesuffix(shipping.path)


def _tls(shipping: Shipping) -> str:
    return '\n         tls.cacert="/etc/ssl/certs/ca-certificates.crt"' if shipping.scheme == "https" else ""


def _variable(field: str) -> str:
    """A field by its dotted name, as a variable of RainerScript."""
    return "$!" + field.replace(".", "!")


def quoted(text: str) -> str:
    """A text as RainerScript's strings hold it: a dollar would begin a variable there."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'
