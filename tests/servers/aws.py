"""What speaks as AWS does, for S3 and RDS: moto's server, in the test's own process so that its state can be set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

#: What moto takes for its account, and keys that it takes from everybody.
ACCOUNT, ACCESS_KEY, SECRET_KEY = "123456789012", "AKIAEXAMPLE", "an example of a secret key"


@dataclass(frozen=True, slots=True)
class AwsServer:
    """A running server at ``url``."""

    url: str

    def client(self, service: str, region: str = "eu-central-1") -> Any:
        """A client of boto3 for it, to make what a test needs."""
        import boto3

        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    def bucket(self, name: str, region: str = "eu-central-1") -> Any:
        """Makes a bucket; returns a client for its region."""
        client = self.client("s3", region)
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
        return client

    def databases(self, region: str = "eu-central-1") -> Any:
        """The state that the server keeps of RDS in a region, to set what can't be asked for."""
        from moto.rds.models import rds_backends

        return rds_backends[ACCOUNT][region]

    def objects(self) -> Any:
        """The state that the server keeps of S3."""
        from moto.s3.models import s3_backends

        return s3_backends[ACCOUNT]["aws"]

    def reset(self) -> None:
        """Forgets all that was made."""
        import urllib.request

        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST"), timeout=120).close()


@contextmanager
def aws_server() -> Iterator[AwsServer]:
    """A server on a free port of the loopback address, with nothing in it: moto keeps its state by process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        running = AwsServer(f"http://{host}:{port}")
        running.reset()
        yield running
    finally:
        server.stop()
