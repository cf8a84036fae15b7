"""A bearer token for requests."""

from __future__ import annotations

import requests


class Bearer(requests.auth.AuthBase):
    """A bearer token, or what another ``scheme`` takes in its place. An object and no header, since requests would put
    a header after what ~/.netrc says."""

    def __init__(self, token: str, scheme: str = "Bearer") -> None:
        self._token, self._scheme = token, scheme

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Puts the token into a request."""
        request.headers["Authorization"] = f"{self._scheme} {self._token}"
        return request

    def __repr__(self) -> str:
        return "a bearer token"
