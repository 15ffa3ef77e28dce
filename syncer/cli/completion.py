"""`syncer completion`: a script by which a shell completes syncer's commands and options."""

from typing import Annotated, Literal

from cyclopts import Parameter

from syncer.cli import output


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell it is for.")], /) -> None:
    """Print a script by which a shell completes commands and options.

    Example: syncer completion bash > ~/.local/share/bash-completion/completions/syncer
    """
    from syncer.cli.application import application

    output.script(application().generate_completion(prog_name="syncer", shell=shell))
    output.advise(_PLACES[shell])


_PLACES = {
    "bash": "syncer completion bash > ~/.local/share/bash-completion/completions/syncer",
    "zsh": "syncer completion zsh > a folder of your fpath/_syncer",
    "fish": "syncer completion fish > ~/.config/fish/completions/syncer.fish",
}
