"""How the router is reached over HTTP: what comes in is decoded here, committed, and only then acknowledged."""
