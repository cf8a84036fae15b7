"""Restore drills: a backup is only as good as the last time that it was restored.

`running` makes a drill of the parts beside it: `choosing` a backup, `pipeline` (fetching, decrypting, decompressing),
`scratch` servers that nothing else is on, `restoring` into one, `checks` of what came back, and `evidence` of it all.
"""
