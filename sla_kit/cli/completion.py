"""`sla-kit completion`: the script that teaches a shell our commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Prints the completion script for a shell.

    \b
    bash:  sla-kit completion bash > ~/.local/share/bash-completion/completions/sla-kit
    zsh:   sla-kit completion zsh > "${fpath[1]}/_sla-kit"
    fish:  sla-kit completion fish > ~/.config/fish/completions/sla-kit.fish
    """
    from sla_kit.cli import main

    found = get_completion_class(shell)
    assert found is not None, "click.Choice let a shell through that click does not know"
    click.echo(found(main, {}, "sla-kit", "_SLA_KIT_COMPLETE").source())
