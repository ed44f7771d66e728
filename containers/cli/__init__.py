"""The command `switchgear`."""

import sys


def main() -> None:
    """Run the command line; say what to install when its packages are missing."""
    try:
        from containers.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit(
            f"switchgear: the command line needs the package '{error.name}'. "
            'Install it with: pip install "switchgear[cli]"'
        )
    app()
