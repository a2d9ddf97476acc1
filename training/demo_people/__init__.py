"""The demo's people: composite faces with drawn hair, packed into the sprite sheet of `ingest/demo`.

`python -m training.demo_people --data DIR --out ingest/demo` makes the sheet again; it is deterministic for
data, models and seed. Run it after a new classifier or detector ships: only heads that both classify as
intended are kept.
"""
