"""What every exporter is made of: collectors that run in the background, snapshots that scrapes are answered from."""
