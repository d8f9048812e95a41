"""A photographed page → where on it is ink, and how much.

First the whole page is taken for paper, whose brightness changes slowly. What stands out from that is ink, if it
looks like something written: it ends within the page, and its strokes are narrow beside its size. Where it does not,
something else is in view (the edges of a sheet, a table, a shadow, printed lines). Then each place is compared with
the paper near to it, and of what stands out there one thing is taken that looks written.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Grey = NDArray[np.float64]  # H×W, 0 is black and 1 white; of ink 0 is none
Mask = NDArray[np.bool_]

MIN_CONTRAST = 0.08  # of ink against paper, on a scale from black to white
NOISE_FACTOR = 4.0  # ink is so many standard deviations of the paper's noise away from it
INK_LEVEL = 0.4  # of the contrast of the darkest ink: what has more is ink
SPECK = 0.05  # parts of the ink smaller than this share of the largest are specks
AROUND = np.ones((3, 3))  # neighbours, those at the corners too

WIDEST = 0.13  # of the page's longer side: strokes are narrower, so near to each of them is paper
THICKEST = 0.45  # of the longer side of what is written: its strokes are narrower
FULLEST = 0.55  # of the square about what is written: it covers less
SMALLEST = 0.05  # of the page's longer side: what is written is larger
LEVELS = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6)  # of contrast, at which a thing is cut out of what surrounds it


def find_ink(page: Grey) -> Grey | None:
    """How much ink there is at each place, 0 to 1, cut to where there is some; None if there is none."""
    whole = ink_of_page(page)
    if whole is None:
        return None
    ink, mask, strange = whole
    if (strange > 0.01 or not is_written(mask)) and (local := ink_of_surroundings(page)) is not None:
        ink, mask = local
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    near = ndimage.binary_dilation(mask, iterations=max(1, max(page.shape) // 100))
    cut: Grey = (ink * near)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cut


def is_written(mask: Mask) -> bool:
    """Whether it ends within the page, and its strokes are narrow beside its size."""
    cut = sum(bool(border.any()) for border in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return cut <= 1 and is_narrow(ndimage.distance_transform_edt(mask).max(), mask.sum(), extent_of(mask))


# ------------------------------------------------------------------------------- a page that is all paper


def ink_of_page(page: Grey) -> tuple[Grey, Mask, float] | None:
    """Ink and where it is, if all of the page is paper; None if nothing stands out from it."""
    difference = page - paper(page)
    if (np.abs(difference) ** 3 * np.sign(difference)).sum() < 0:  # what stands out is darker than the paper
        difference = -difference
    width = max(page.shape) / 150
    smooth = ndimage.gaussian_filter(difference, width)
    noise = grain(difference) * min(1.0, 1 / (2 * np.sqrt(np.pi) * width))  # what smoothing leaves of it
    peak = np.quantile(smooth, 0.998)
    if peak < max(MIN_CONTRAST, NOISE_FACTOR * noise):
        return None
    level = max(peak * INK_LEVEL, NOISE_FACTOR * 0.6 * noise)
    mask = without_specks(smooth > level)
    near = ndimage.binary_dilation(mask, iterations=max(1, max(page.shape) // 50))
    strange = float(np.mean((np.abs(smooth) > level / 2) & ~near))
    return np.clip(difference / peak, 0, 1), mask, strange


def grain(page: Grey) -> float:
    """The standard deviation of noise from pixel to pixel, by the page's second differences where they are small."""
    quiet = np.quantile(np.abs(ndimage.laplace(page)), 0.3)
    return float(quiet / (0.385 * np.sqrt(20)))  # of a normal distribution, through the filter 1 1 -4 1 1


def paper(page: Grey) -> Grey:
    """The brightness of the paper everywhere: a curved surface through what is not ink."""
    height, width = page.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    values = page.ravel()
    edge = np.maximum(np.abs(x), np.abs(y)).ravel() > 0.8  # where a digit seldom is
    level = np.median(values[edge])
    far = np.abs(values - level)
    near = far <= max(2 * np.median(far[edge]), 0.15)
    surface = np.full(values.shape, level)
    for _ in range(5):
        if near.mean() < 0.2:
            break
        solution, *_ = np.linalg.lstsq(terms[near], values[near], rcond=None)
        surface = terms @ solution
        far = np.abs(values - surface)
        near = far <= max(2.5 * 1.4826 * np.median(far[near]), 0.02)  # 2.5 standard deviations, robustly
    return surface.reshape(page.shape)


def without_specks(mask: Mask) -> Mask:
    """The largest connected part and those that are not small beside it."""
    parts, count = ndimage.label(mask, structure=AROUND)
    sizes = ndimage.sum_labels(mask, parts, np.arange(1, count + 1))
    return np.isin(parts, 1 + np.flatnonzero(sizes >= SPECK * sizes.max()))


# ------------------------------------------------------------------------------ a page with other things


@dataclass(frozen=True)
class Thing:
    """A connected part of a page that may be written: where, and how much contrast is in it."""

    mask: Mask
    weight: float
    contrast: float  # that of its darkest strokes


def ink_of_surroundings(page: Grey) -> tuple[Grey, Mask] | None:
    """Ink and where it is, by the paper near to each place; None where nothing looks written."""
    smooth = ndimage.gaussian_filter(page, max(page.shape) / 400)
    found = [
        (thing, contrast, sign)
        for sign, contrast in ((-1, darkness(smooth)), (1, lightness(smooth)))
        if (thing := written_thing(contrast, sign * smooth))
    ]
    if not found:
        return None
    thing, contrast, sign = max(found, key=lambda one: one[0].weight)
    if (narrow := round(0.45 * width_of(thing, contrast))) >= 2:  # printed lines are narrower than the pen
        contrast = ndimage.grey_opening(contrast, footprint=disc(narrow))
        thing = written_thing(contrast, sign * smooth) or thing
    return np.clip(contrast / thing.contrast, 0, 1), with_neighbours(thing, contrast)


def darkness(page: Grey) -> Grey:
    """How much darker each place is than the paper near to it, as a share of that."""
    light = ndimage.grey_closing(page, max(3, round(WIDEST * max(page.shape))))
    return (light - page) / np.maximum(light, 0.15)


def lightness(page: Grey) -> Grey:
    """How much lighter each place is than what is near to it."""
    return page - ndimage.grey_opening(page, max(3, round(WIDEST * max(page.shape))))


def written_thing(contrast: Grey, light: Grey) -> Thing | None:
    """The part that looks written and has most contrast in it, each cut out at the lowest level that it ends at."""
    things = [thing for level in LEVELS for thing in things_at(contrast, level)]
    things.sort(key=lambda thing: -thing.weight)
    return next((thing for thing in things if has_edge(thing, light)), None)


def things_at(contrast: Grey, level: float) -> list[Thing]:
    """The parts above a level of contrast that look written."""
    labels, count = ndimage.label(contrast > level, structure=AROUND)
    if not count:
        return []
    depth = ndimage.distance_transform_edt(np.pad(labels > 0, 1))[1:-1, 1:-1]
    numbers = np.arange(1, count + 1)
    deepest, areas = ndimage.maximum(depth, labels, numbers), np.bincount(labels.ravel())[1:]
    found = []
    for number, place in enumerate(ndimage.find_objects(labels), 1):
        extent = max(part.stop - part.start for part in place)
        inside = all(part.start > 0 and part.stop < side for part, side in zip(place, contrast.shape, strict=True))
        if (
            inside
            and extent >= SMALLEST * max(contrast.shape)
            and is_narrow(deepest[number - 1], areas[number - 1], extent)
        ):
            found.append(measure(labels == number, contrast))
    return found


def is_narrow(depth: float, area: float, extent: int) -> bool:
    return bool(2 * depth <= THICKEST * extent and area <= FULLEST * extent * extent)


def measure(mask: Mask, contrast: Grey) -> Thing:
    """A part with its contrast and width, by what is darkest in it."""
    strokes = contrast[mask]
    dark = float(np.quantile(strokes, 0.95))
    return Thing(without_specks(mask & (contrast > INK_LEVEL * dark)), float((strokes**2).sum()), dark)


def width_of(thing: Thing, contrast: Grey) -> float:
    """The width of its strokes in pixels: the median along the middle of those that are darkest."""
    depth = ndimage.distance_transform_edt(thing.mask & (contrast > 0.5 * thing.contrast))
    ridge = (contrast > 0.9 * thing.contrast) & (depth == ndimage.maximum_filter(depth, 3)) & thing.mask
    return float(2 * np.median(depth[ridge]))


def has_edge(thing: Thing, light: Grey) -> bool:
    """Whether all around a thing the page is as light as paper again."""
    reach = 3
    outside, (rows, columns) = ndimage.distance_transform_edt(~thing.mask, return_indices=True)
    ring = (outside > reach - 1) & (outside <= reach)
    inner = ndimage.maximum_filter(light, 2 * reach + 1)[rows[ring], columns[ring]]
    step = inner - light[ring]
    height = np.median(light[thing.mask]) - np.median(light[ring])
    return bool(np.mean(step < 0.4 * height) <= 0.1)


def with_neighbours(thing: Thing, contrast: Grey) -> Mask:
    """Where a thing is, with parts near to it that are as dark: a stroke may stand apart."""
    labels, count = ndimage.label((contrast > INK_LEVEL * thing.contrast) | thing.mask, structure=AROUND)
    extent = extent_of(thing.mask)
    near = np.unique(labels[ndimage.distance_transform_edt(~thing.mask) <= 0.15 * extent])
    sizes = np.bincount(labels.ravel())
    cut = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    beside = [n for n in np.setdiff1d(near, [0, *cut]) if SPECK * thing.mask.sum() <= sizes[n] <= thing.mask.sum()]
    return thing.mask | np.isin(labels, beside)


def extent_of(mask: Mask) -> int:
    """The longer side of what is in a mask, in pixels."""
    return max(int(np.ptp(np.flatnonzero(mask.any(axis=axis)))) + 1 for axis in (0, 1))


def disc(diameter: int) -> Mask:
    """A disc as a footprint."""
    y, x = np.mgrid[:diameter, :diameter] - (diameter - 1) / 2
    inside: Mask = x * x + y * y <= diameter * diameter / 4
    return inside
