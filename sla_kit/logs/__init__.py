"""Log lines as documents of the Elastic Common Schema: read from files, given a fingerprint, loaded in bulk."""
