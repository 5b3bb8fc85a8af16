"""Training of the classifier of shapes from fonts.

    python -m distil.exams.scans.lettering --fonts DIR ... --out FILE

Characters are drawn from the font files found in the folders given (FONTS names the families, all
free: Debian's fonts-liberation, fonts-crosextra-*, fonts-dejavu, fonts-lmodern and
texlive-fonts-extra hold them), worn as scanners wear print (resolution, blur, stroke, noise, JPEG,
fax), cut out as the reader of scans cuts them out, and learnt by plain stochastic gradient descent.
Extraction needs none of this: only the weights that come out of it.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from distil.exams.scans.shapes import ALIKE, CLASS_OF, CLASSES, JUNK, SINGLE, features, normalised

FONTS = re.compile(
    r"^(Liberation(Serif|Sans|SansNarrow|Mono)|Carlito|Caladea|DejaVu(Sans|Serif)(Condensed)?"
    r"|lmroman(8|10|12)|lmsans10|NewCM10|NewCMSans10|Libertinus(Serif|Sans)|TeXGyre(Termes|Pagella|Schola)X"
    r"|STIXTwoText|XCharter|Erewhon|EBGaramond|ztm|zhv|KpRoman|XITS|cmun(rm|ti|bx|bi|ss|si)|SourceSerifPro"
    r"|SourceSansPro|Crimson|OpenSans|Roboto|Baskervaldx|OldStandard|Alegreya|LibreBaskerville|Merriweather)"
    r"[-.]?(Regular|Roman|Italic|Bold|BoldItalic|Oblique|BoldOblique|Book|BookItalic|Reg|RegIta|Med|MedIta"
    r"|Bol|BolIta|regular|italic|bold|bolditalic|oblique|boldoblique|)\.(ttf|otf)$"
)
MATH_FONTS = re.compile(
    r"^(STIXTwoMath-Regular|XITSMath-Regular|latinmodern-math|NewCMMath-Regular|LibertinusMath-Regular"
    r"|KpMath-Regular|ASANA|FiraMath-Regular|Erewhon-Math|XCharter-Math|DejaVuMathTeXGyre|Garamond-Math)"
    r"\.(otf|ttf|TTC)$",
    re.I,
)
HELD_OUT = re.compile(r"^(Crimson|LiberationSans-|TeXGyreTermesX|Caladea-Italic|XCharter-Math)")
CELL = 72
COLUMNS, ROWS = 18, 12
MATH_ITALIC = {chr(0x61 + i): chr(0x1D44E + i) for i in range(26)} | {
    chr(0x41 + i): chr(0x1D434 + i) for i in range(26)
} | {"h": "ℎ"} | dict(zip("αβγδεθλμπρστφψω", "𝛼𝛽𝛾𝛿𝜀𝜃𝜆𝜇𝜋𝜌𝜎𝜏𝜑𝜓𝜔", strict=True))  # fmt: skip
SYMBOLS = "+−×÷=±<>≤≥≠≈√∞∠∫∪∩∅→∑∏Δ∈αβγδελμπρστφψωθΓΩ"
COMMON = "0123456789abcdefghijklmnopqrstuvwxyz"
LEARNING_RATE = 0.05
HIDDEN = 320
BATCH = 256


class Typeface:
    """A font file and the characters that it can draw.

    Args:
        path: the file.
        mathematics: whether to draw letters of mathematics, which are italic.
    """

    def __init__(self, path: Path, *, mathematics: bool) -> None:
        from fontTools.ttLib import TTFont

        self.path, self.mathematics = path, mathematics
        known = TTFont(path, fontNumber=0).getBestCmap()
        every = [*SINGLE, *(char for group in ALIKE for char in group)]
        self.forms = {}
        for char in every:
            drawn = MATH_ITALIC.get(char, char) if mathematics else char
            drawn = {"∆": "Δ", "−": "−" if 0x2212 in known else "–"}.get(drawn, drawn)
            if ord(drawn) in known:
                self.forms[char] = drawn
        # Latin letters in the place of Greek ones would teach nonsense.
        self.fonts: dict[int, ImageFont.FreeTypeFont] = {}

    def font(self, size: int) -> ImageFont.FreeTypeFont:
        """Return the font at a size in pixels."""
        if size not in self.fonts:
            if len(self.fonts) > 8:
                self.fonts.clear()
            self.fonts[size] = ImageFont.truetype(str(self.path), size)
        return self.fonts[size]


def find_typefaces(folders: list[Path]) -> list[Typeface]:
    """Return the typefaces that the folders hold, by name, each once."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if FONTS.match(path.name) or MATH_FONTS.match(path.name):
                found.setdefault(path.name, path)
    return [
        Typeface(path, mathematics=bool(MATH_FONTS.match(name)))
        for name, path in sorted(found.items())
    ]


def draw_sheet(face: Typeface, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Return a sheet of characters, uint8 (ROWS * CELL, COLUMNS * CELL), 0 ink, and their names.

    The sheet is as a scanner's 300 dpi would show it; names have JUNK where two touch.
    """
    over = 3
    size = int(rng.uniform(20, 62) if rng.random() < 0.7 else rng.uniform(14, 30))
    font = face.font(size * over)
    canvas = Image.new("L", (COLUMNS * CELL * over, ROWS * CELL * over), 255)
    pen = ImageDraw.Draw(canvas)
    chars = list(face.forms)
    common = [char for char in chars if char in COMMON]
    symbols = [char for char in chars if char in SYMBOLS]
    names = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            kind = rng.random()
            pool = common if kind < 0.25 else symbols if kind < 0.4 and symbols else chars
            char = pool[rng.integers(len(pool))]
            x, y = (column + 0.5) * CELL * over, (row + 0.5) * CELL * over
            box = font.getbbox(face.forms[char])
            width, height = box[2] - box[0], box[3] - box[1]
            left, top = x - width / 2 - box[0], y - height / 2 - box[1]
            pen.text((left, top), face.forms[char], fill=0, font=font)
            name = CLASS_OF[char]
            if char == "√":
                draw_root(pen, font, (x, y), (width, height), rng)
            elif rng.random() < 0.07:
                other = chars[rng.integers(len(chars))]
                edge = font.getbbox(face.forms[other])[0]
                pen.text((x + width / 2 - edge - rng.uniform(0, 2) * over, top),
                         face.forms[other], fill=0, font=font)  # fmt: skip
                name = JUNK
            names.append(name)
    sheet = np.asarray(canvas)
    angle = rng.normal(0, 0.7)
    if rng.random() < 0.5:
        height, width = sheet.shape
        matrix = np.array([[1, np.tan(np.radians(rng.normal(0, 1.5))), 0],
                           [np.tan(np.radians(angle)) * 0.15, 1, 0]])  # fmt: skip
        sheet = cv2.warpAffine(sheet, matrix, (width, height), borderValue=255)
    stroke = rng.random()
    if stroke < 0.15:
        sheet = cv2.erode(sheet, np.ones((2, 2), np.uint8))
    elif stroke < 0.3:
        sheet = cv2.dilate(sheet, np.ones((2, 2), np.uint8))
    return sheet, names


def draw_root(pen, font, middle: tuple, size: tuple, rng: np.random.Generator) -> None:
    """Lengthen a root sign by the line over what it holds."""
    del font
    thick = max(2, int(size[1] * 0.045))
    x, y = middle[0] + size[0] / 2, middle[1] - size[1] / 2
    reach = min(rng.uniform(0, 2.2) * size[1], (CELL * 3 - size[0]) / 2 - 4)
    if reach > 4:
        pen.rectangle((x - thick, y, x + reach, y + thick), fill=0)


def worn(sheet: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a sheet as a scan shows it at 300 dpi."""
    height, width = ROWS * CELL, COLUMNS * CELL
    # Resolution of the scanner: 100 to 300 dpi.
    share = rng.choice([1.0, 0.67, 0.67, 0.5, 0.5, 0.4])
    grey = cv2.GaussianBlur(sheet, (0, 0), 3 * rng.uniform(0.15, 0.75) / share)
    small = cv2.resize(
        grey, (int(width * share), int(height * share)), interpolation=cv2.INTER_AREA
    )
    small = small.astype(np.float32)
    fade = rng.uniform(0.5, 1.0) if rng.random() < 0.3 else 1.0
    small = 255 - (255 - small) * fade
    if rng.random() < 0.6:
        small += rng.normal(0, rng.uniform(2, 18), small.shape)
    small = np.clip(small, 0, 255).astype(np.uint8)
    kind = rng.random()
    if kind < 0.3:
        level = rng.uniform(95, 190)
        small = np.where(small < level, 0, 255).astype(np.uint8)
    elif kind < 0.6:
        quality = int(rng.uniform(25, 85))
        _, packed = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
        small = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
    if share < 1:
        method = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
        small = cv2.resize(small, (width, height), interpolation=method)
    return small


def cut(grey: np.ndarray, names: list[str], rng: np.random.Generator) -> list[tuple]:
    """Return (square, log aspect, name) for the characters of a sheet, some cut badly on purpose."""  # noqa: E501
    _, ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    found = []
    for place, name in enumerate(names):
        row, column = divmod(place, COLUMNS)
        cell = ink[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
        count, labels, stats, _ = cv2.connectedComponentsWithStats(cell, connectivity=8)
        real = [
            i for i in range(1, count)
            if stats[i][4] >= 9 and 3 < stats[i][0] + stats[i][2] / 2 < CELL - 3
        ]  # fmt: skip
        if not real:
            continue
        if name == JUNK and len(real) > 1:
            continue  # they do not touch
        part = np.isin(labels, real)
        ys, xs = np.nonzero(part)
        if ys.min() == 0 or xs.min() == 0 or ys.max() == CELL - 1 or xs.max() == CELL - 1:
            continue
        shape = (part[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] * 255).astype(np.uint8)
        if rng.random() < 0.03 and name not in "−.,'|lI1/\\":
            # A half of a character is none.
            height, width = shape.shape
            if height > 12 and width > 12:
                half = shape[:, : int(width * rng.uniform(0.4, 0.6))]
                if rng.random() < 0.5:
                    half = shape[: int(height * rng.uniform(0.35, 0.6))]
                ys, xs = np.nonzero(half)
                if len(ys):
                    shape = half[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
                    name = JUNK
        found.append((normalised(shape), np.log(shape.shape[1] / shape.shape[0]), name))
    return found


def draw_samples(
    faces: list[Typeface], sheets: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return features (n, d) and class numbers (n,)."""
    number = {name: place for place, name in enumerate(CLASSES)}
    rows, names = [], []
    for place in range(sheets):
        face = faces[place % len(faces)]
        sheet, drawn = draw_sheet(face, rng)
        found = cut(worn(sheet, rng), drawn, rng)
        if found:
            squares = np.stack([item[0] for item in found])
            aspects = np.array([item[1] for item in found], dtype=np.float32)
            rows.append(features(squares, aspects).astype(np.float16))
            names.extend(number[item[2]] for item in found)
        if place % 100 == 99:
            print(f"{place + 1} of {sheets} sheets, {len(names)} characters", flush=True)
    return np.concatenate(rows), np.array(names)


def train(rows: np.ndarray, names: np.ndarray, epochs: int, rng: np.random.Generator) -> dict:
    """Return the weights of the net: SGD with momentum, cosine schedule, dropped features."""
    from distil.exams.scans.shapes import forward

    inputs = rows.shape[1]
    sample = rows[:20000].astype(np.float32)
    net = {
        "mean": sample.mean(axis=0), "scale": np.full(inputs, sample.std(), np.float32),
        "w1": rng.normal(0, (2 / inputs) ** 0.5, (inputs, HIDDEN)).astype(np.float32),
        "b1": np.zeros(HIDDEN, np.float32),
        "w2": rng.normal(0, (2 / HIDDEN) ** 0.5, (HIDDEN, len(CLASSES))).astype(np.float32),
        "b2": np.zeros(len(CLASSES), np.float32),
    }  # fmt: skip
    learnt = ("w1", "b1", "w2", "b2")
    speed = {name: np.zeros_like(net[name]) for name in learnt}
    steps = epochs * (len(rows) // BATCH)
    step = 0
    for epoch in range(epochs):
        order = rng.permutation(len(rows))
        lost = 0.0
        for start in range(0, len(rows) - BATCH + 1, BATCH):
            pick = order[start : start + BATCH]
            batch = rows[pick].astype(np.float32)
            hidden, _ = forward(net, batch)
            mask = (rng.random(hidden.shape) < 0.85).astype(np.float32) / np.float32(0.85)
            hidden = hidden * mask
            scores = hidden @ net["w2"] + net["b2"]
            scores -= scores.max(axis=1, keepdims=True)
            likely = np.exp(scores)
            likely /= likely.sum(axis=1, keepdims=True)
            lost -= float(np.log(likely[np.arange(BATCH), names[pick]] + 1e-9).mean())
            error = likely
            error[np.arange(BATCH), names[pick]] -= 0.98
            error += np.float32(-0.02 / len(CLASSES))
            error /= BATCH
            back = (error @ net["w2"].T) * mask * (hidden > 0)
            scaled = (batch - net["mean"]) / net["scale"]
            change = {
                "w2": hidden.T @ error,
                "b2": error.sum(0),
                "w1": scaled.T @ back,
                "b1": back.sum(0),
            }
            rate = np.float32(LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * step / steps)))
            for name in learnt:
                speed[name] *= np.float32(0.9)
                speed[name] -= rate * (change[name] + np.float32(1e-5) * net[name])
                net[name] += speed[name]
            step += 1
        print(f"epoch {epoch + 1}: loss {lost / (len(rows) // BATCH):.4f}", flush=True)
    return net


def score(net: dict, rows: np.ndarray, names: np.ndarray) -> None:
    """Print accuracy, and how far a probability can be trusted."""
    from distil.exams.scans.shapes import forward

    likely = np.concatenate(
        [forward(net, rows[i : i + 4096].astype(np.float32))[-1] for i in range(0, len(rows), 4096)]
    )
    best = likely.argmax(axis=1)
    right = best == names
    print(f"accuracy {right.mean():.4f} of {len(names)}")
    for level in (0.5, 0.8, 0.9, 0.95):
        sure = likely.max(axis=1) >= level
        print(f"  p >= {level}: {sure.mean():.3f} of all, right {right[sure].mean():.5f}")
    pairs: dict[tuple[str, str], int] = {}
    for wrong in np.flatnonzero(~right):
        pair = (CLASSES[names[wrong]], CLASSES[best[wrong]])
        pairs[pair] = pairs.get(pair, 0) + 1
    print(sorted(pairs.items(), key=lambda item: -item[1])[:40])


def main() -> None:
    """Draw, train, score on families that were held out, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fonts", nargs="+", type=Path, required=True, help="folders of fonts")
    parser.add_argument("--out", type=Path, required=True, help="the weights, .npz")
    parser.add_argument("--sheets", type=int, default=2400)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--samples", type=Path, help="keep the samples here, or take them from here"
    )
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    faces = find_typefaces(options.fonts)
    known = [face for face in faces if not HELD_OUT.match(face.path.name)]
    unknown = [face for face in faces if HELD_OUT.match(face.path.name)]
    if not known or not unknown:
        sys.exit("no fonts found: install those that the module's docstring names")
    print(f"{len(known)} typefaces to learn, {len(unknown)} held out")
    if options.samples and options.samples.is_file():
        with np.load(options.samples) as stored:
            rows, names, other_rows, other_names = (stored[key] for key in ("a", "b", "c", "d"))
    else:
        rows, names = draw_samples(known, options.sheets, rng)
        other_rows, other_names = draw_samples(unknown, max(20, options.sheets // 20), rng)
        if options.samples:
            np.savez(options.samples, a=rows, b=names, c=other_rows, d=other_names)
    net = train(rows, names, options.epochs, rng)
    score(net, other_rows, other_names)
    np.savez_compressed(
        options.out, **{name: value.astype(np.float16) for name, value in net.items()}
    )


if __name__ == "__main__":
    main()
