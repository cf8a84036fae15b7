"""What goes wrong between boto3 and AWS, as a kind of error with its remedy."""

from __future__ import annotations

from typing import Any

from sla_kit.exporters.backup.aws import Answer
from sla_kit.exporters.backup.s3_requests import NoListingError
from sla_kit.exporters.sidecar.collector import Kind

#: By the code of an answer: the kind, what is said, and the remedy.
_CODES: dict[str, tuple[Kind, str, str]] = {
    "RequestTimeTooSkewed": (
        "auth",
        "refuses us: this machine's clock is more than 15 minutes wrong",
        "set the clock, by NTP",
    ),
    "SlowDown": ("timeout", "asks us to slow down", "set a longer interval"),
    "PermanentRedirect": ("connect", "says that the bucket is in another region", "set its region"),
    "IllegalLocationConstraintException": ("connect", "says that the bucket is in another region", "set its region"),
    "AuthorizationHeaderMalformed": ("connect", "expects to be asked in another region", "set its region"),
    "NoSuchBucket": ("connect", "there is no such bucket", "check its name, region and endpoint"),
    "InvalidBucketName": ("query", "that can't be the name of a bucket", "check its name"),
    "NoSuchKey": ("data", "the object is gone", ""),
    "404": ("data", "the object is gone", ""),
    "PreconditionFailed": ("data", "the object has changed while it was looked at", ""),
    "412": ("data", "the object has changed while it was looked at", ""),
    "InvalidObjectState": (
        "data",
        "the object is archived (Glacier), and can't be read before it is restored",
        "keep the newest backups in a storage class that can be read at once",
    ),
    "400": (
        "data",
        "the object can't be looked at: it may be encrypted with a key of its owner's (SSE-C)",
        "use SSE-KMS, whose keys stay with the storage",
    ),
    "DBInstanceNotFound": ("query", "there is no such instance", "check its name and region"),
    "DBClusterNotFoundFault": ("query", "there is no such cluster", "check its name and region"),
}
_CREDENTIALS = "give credentials, or let boto3 find some: its environment variables, a profile, or a role"
_THROTTLED = ("Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "503", "429")
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AllAccessDisabled", "403", "Forbidden")
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
_UNKNOWN = (
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "AuthFailure",
    "InvalidToken",
    "InvalidIdentityToken",
    "IncompleteSignature",
)


def explain(error: Exception) -> Answer:
    """Why there is no answer. Nothing of the exception's own text is quoted that could hold a secret or an address."""
    kind, message, remedy = _explained(error)
    return Answer(last=True, kind=kind, message=message, remedy=remedy)


def _explained(error: Exception) -> tuple[Kind, str, str]:
    if isinstance(error, ModuleNotFoundError):
        name = error.name or "a module"
        return "internal", f"{name} is not installed", "pip install 'sla-kit[backup]'"
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    if isinstance(error, exceptions.ClientError):
        return _answered(error.response, error.operation_name)
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return "auth", "no credentials were found", _CREDENTIALS
    if isinstance(
        error,
        exceptions.CredentialRetrievalError
        | exceptions.TokenRetrievalError
        | exceptions.ProfileNotFound
        | exceptions.UnauthorizedSSOTokenError
        | exceptions.SSOTokenLoadError
        | exceptions.InvalidConfigError
        | exceptions.ConfigNotFound,
    ):
        return "auth", f"no credentials could be had ({type(error).__name__})", _CREDENTIALS
    if isinstance(error, exceptions.NoRegionError):
        return "query", "no region is known", "set region"
    if isinstance(error, exceptions.SSLError):
        return "connect", "the certificate is not trusted, or no TLS is spoken", "check the endpoint, or set ca_file"
    if isinstance(error, exceptions.ConnectTimeoutError | exceptions.ReadTimeoutError):
        return "timeout", "did not answer in time", "is the endpoint right, and reached from here?"
    if isinstance(error, exceptions.ProxyConnectionError):
        return "connect", "the proxy can't be reached", "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        return (
            "connect",
            "can't be reached",
            "is the endpoint right, and reached from here?",
        )
    if isinstance(error, NoListingError | ResponseParserError):
        return "connect", "answers what is not S3's or RDS's protocol", "is the endpoint right? Is a proxy between?"
    if isinstance(error, exceptions.ParamValidationError | exceptions.InvalidRegionError | ValueError):
        return "query", f"can't be asked like that ({type(error).__name__})", "check names, region and endpoint"
    return "internal", f"could not be asked ({type(error).__name__})", ""


def _answered(response: dict[str, Any], operation: str) -> tuple[Kind, str, str]:
    """Of an answer that says no."""
    code = str(response.get("Error", {}).get("Code", "")) or "no code"
    if code in _CODES:
        return _CODES[code]
    if code in _THROTTLED:
        return "timeout", "asks us to slow down", "set a longer interval"
    if code in _DENIED:
        return "auth", f"does not allow us {operation}", f"allow the exporter's identity {_permission(operation)}"
    if code in _EXPIRED:
        return "auth", "our credentials have expired", "renew them"
    if code in _UNKNOWN:
        return "auth", f"does not take our credentials ({code})", "check the keys, and that they are for this endpoint"
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status >= 500:
        return "connect", f"answers {operation} with {status} ({code})", "look at the store itself"
    return "query", f"refuses {operation} ({code})", ""


def _permission(operation: str) -> str:
    """What IAM calls the right to an operation."""
    named = {"ListObjectsV2": "s3:ListBucket", "GetObject": "s3:GetObject", "HeadObject": "s3:GetObject"}
    return named.get(operation, f"rds:{operation}")
