"""What every web server of sla-kit is made of: where it listens, who may ask what, how it logs, reloads and ends."""
