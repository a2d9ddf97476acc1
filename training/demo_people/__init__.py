"""The demo's people: composite faces with drawn hair, packed into the sprite sheet of `ingest/demo`.

`python -m training.demo_people --data DIR --out ingest/demo` makes the sheet anew, the same for the same
data, models and seed. Run it after a new classifier or detector has been shipped: only what both read as
meant is kept.
"""
