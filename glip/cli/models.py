"""``glip models``: what can be named."""

from __future__ import annotations

import typer


def models() -> None:
    """List the models that can be named, and where their weights lie."""
    from glip.checkpoints.zoo import entries

    rows = [
        (entry.name, entry.config, 'in the package' if entry.path else entry.url or '')
        for entry in entries()
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    for name, config, weights in rows:
        typer.echo(f'{name:{widths[0]}}  {config:{widths[1]}}  {weights}')
