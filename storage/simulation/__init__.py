"""A simulated history, labelled as such, in the ordinary tables: to try the dashboard and to measure it."""
