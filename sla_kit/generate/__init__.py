"""From the catalogue to files: rules, their tests, configuration, runbooks.

`plan` says which files there are and what stands in them; `files` brings them to a folder, all or none.
"""
