"""`mien train`: registration of its commands."""

from __future__ import annotations

import typer

from mien.cli.train import classifier, compare, compute, data, detector, explain, pooling, tune

app = typer.Typer(help="Train, measure, export and publish the models.", no_args_is_help=True)
app.add_typer(classifier.app)
app.add_typer(compare.app)
app.add_typer(compute.app)
app.add_typer(explain.app)
app.add_typer(pooling.app)
app.add_typer(tune.app)
app.add_typer(data.app, name="data")
app.add_typer(detector.app, name="detector")
