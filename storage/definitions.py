"""The definition of every figure, as the dashboard shows it."""

from __future__ import annotations

VISITS = (
    "A visit is one face that was tracked in front of one camera; gaps of up to two seconds do not end "
    "it, nor longer ones of up to 2.5 pictures of a slow camera. It is counted in the minute in which it "
    "started. It is not a person: somebody who returns, or passes two cameras, is counted again, and "
    "somebody who never shows their face is not counted."
)
MOOD_INDEX = (
    "100 times the mean of P(happiness) - P(anger) - P(disgust) - P(fear) - P(sadness), of the visits whose "
    "expression was estimated: from -100 to 100. From four days on the 95 % interval takes days as the "
    "sampling unit, since visits of one day are alike; within fewer days it takes visits as independent. The "
    "classifier's own error is not included."
)
EXPRESSION_MIX = (
    "The share of each expression, of the visits whose expression was estimated: the most probable one, "
    "pooled over the visit, or unknown where the model's confidence is below its threshold. It estimates "
    "how a face looks, not of what a person feels. From four days on the 95 % intervals take days as the "
    "sampling unit, within fewer days visits (Wilson). The classifier's own error is not included."
)
GENDER_MIX = (
    "The share of perceived women and men (a model's estimate, for aggregates only) among the visits that"
    " the model could label. The others are not labelled: their share is of the visits whose gender was "
    "estimated. From four days on the 95 % intervals take "
    "days as the sampling unit, within fewer days visits (Wilson). The classifier's own error is not "
    "included."
)
CAMERAS_ONLINE = (
    "The cameras that deliver pictures now, of the selected cameras that are neither paused nor ended nor "
    "outside of their opening hours."
)
COVERAGE = (
    "The part of the scheduled time in which the cameras watched. A camera is scheduled from its "
    "registration on, in its opening hours, except in its pauses. Below 90 % visits are missing; time "
    "without observation is grey, never zero."
)
DAYS_HIDDEN = "The days of a week whose visits its figures do not contain, since they are too few to show."
DWELL = (
    "How long a visit lasts: from the first to the last frame of its face. Mean and median (from a "
    "histogram) with their 95 % intervals; from four days on days are the sampling unit."
)
ENGAGEMENT = (
    "The share of visits that last at least 10 seconds, with its 95 % interval; from four days on days are "
    "the sampling unit."
)
HOURS_OF_WEEK = (
    "Visits per camera and hour by weekday and hour, in the shop's time zone: all visits divided by the "
    "sum of the hours that the cameras watched. Hours that were never observed are grey; hours with too few "
    "visits to show are marked."
)
CROSS = (
    "The expression mix of the visits that the model labelled as perceived women, as perceived men, and "
    "that it could not label. Both labels are estimates of one model, whose errors differ between groups."
)
COMPARISON = (
    "A against B. The 95 % interval of a difference takes days as the sampling unit. The verdict is "
    "corrected for the number of comparisons by Holm's method: up or down where the adjusted p-value is "
    "under 0.05, else no clear change. Each side needs at least 4 days and 30 visits with the figure; n is "
    "the number of such visits. The classifier's own error is not included. Visits per camera and hour are "
    "all visits divided by the sum of the hours that the cameras watched: two cameras that watch for an hour "
    "are two hours. Unless weekdays and hours are matched, they have no verdict where the coverages of the "
    "sides differ by more than a tenth of the larger one, since other hours were watched. Where both sides "
    "are the same cameras at different times, only those that were scheduled on both sides are compared. "
    "Where the sides are different cameras, their figures differ also because of where the cameras hang."
)
UPLIFT = (
    "The period of an event against a baseline with the same weekdays and hours: the baseline's value of "
    "each weekday and hour is weighted as in the event. Hours with a coverage under 90 % are left out of "
    "both."
)
FRAMES = (
    "What became of the frames of each camera: analysed, not analysed because nothing had changed, too old "
    "when their turn came, unreadable, or dropped before. Delay is the mean age of a frame when its result "
    "is ready."
)
STORED = (
    "Rows are deleted after a number of full days (UTC), which the settings keep_visits_days, "
    "keep_observations_days, keep_coverage_days and keep_audit_days name; operators may choose fewer for all "
    "but the audit log. Coverage by hour and day is kept as long as visits, coverage by minute for "
    "keep_coverage_days."
)
FACE_SIZES = (
    "Visits by the mean size of their face in the picture, in pixels, in full days (UTC) that are over. "
    "Faces under 24 pixels are found and read less reliably. Pictures of more than 640 pixels are reduced "
    "for the detector: in one of 1280, 48 pixels are 24, unless the camera is thorough. Marked sizes may be "
    "under 24 for the detector: move the camera nearer, or make it thorough. A day with too few visits to "
    "show counts nowhere."
)
CONFIDENCE = (
    "Visits by the probability of their most probable expression, in full days (UTC) that are over. Visits "
    "below the model's threshold count as unknown in the expression mix."
)
DEAD_LETTERS = (
    "Frames that are damaged, impossible or refused by the database: counted as unreadable, by reason; "
    "numbers in the reason are left out. With Kafka the dead-letter queue keeps reason, size and SHA-256 of "
    "each for a day, and no picture unless dead_letter_originals is set."
)
PRIVACY_CHECK = (
    "Looks for picture files and rows of numbers (vectors), also as base64 or hexadecimal digits, in all "
    "tables, in the files of SQLite, in the dead-letter queue, in log files that are named, and in "
    "temporary files of the user of this dashboard. Encrypted or compressed data cannot be recognised; "
    ".gz files can."
)
NOTICE = (
    "Who is responsible, what the cameras are for, what happens, what is stored and for how long, and whom "
    "to ask; from the settings and the purposes of the cameras you may read."
)
MODEL_CARD = (
    "The figures of the shipped model's card. Groups are labels of the test pictures, not of your visitors. "
    "Your cameras differ from the test pictures: audit a sample before you rely on a figure."
)
FRESHNESS = "The age of the newest frame whose result is in the database."


def suppression(k: int) -> str:
    """The rule by which groups of fewer than `k` visits are hidden."""
    return (
        f"Figures count visits in groups of at least {k}: neighbouring minutes, hours or days that are over. "
        "Visits that are in no such group yet are not counted. A slot that shares its group with other slots "
        f"is marked as too few to show, and a day of fewer than {k} visits counts nowhere."
    )
