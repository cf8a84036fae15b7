"""`python -m sla_kit.exporters.drill`: as `sla-kit drill`."""

from sla_kit.cli import main

if __name__ == "__main__":
    import sys

    main(["drill", *sys.argv[1:]], prog_name="sla-kit")
