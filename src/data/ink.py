"""A photographed page → where on it is ink, and how much.

First the whole page is taken for paper, whose brightness changes slowly. What stands out from that is ink, if it
looks like something written: it ends within the page, and its strokes are narrow beside its size. Where it does not,
something else may be in view (the edges of a sheet, a table, a shadow, printed lines). Then each place is compared with
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
UNEXPLAINED = 0.01  # of a page may stand out half as much as ink without being ink
AROUND = np.ones((3, 3))  # a place's neighbours, those at its corners too

# What is written, as MNIST's digits are but for 2 in 1,000:
THICKEST = 0.5  # its strokes are narrower than this share of its longer side
FULLEST = 0.55  # and it covers less than this share of a square about it

# Beside other things on a page:
BLUR = 1 / 250  # of the longer side is smoothed over, so that fine lines and noise are paler
WIDEST = 0.13  # of the page's longer side: strokes are narrower, so paper is near to each place of them
SMALLEST = 0.05  # of the page's longer side: what is written is larger
LEVELS = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6)  # of contrast, at which a thing is cut out of what surrounds it
AROUND_IT = 0.25  # of its longer side: so far around it a thing is compared with what else is there
REACH = 3  # pixels beyond a thing's edge, at which the page is as light as paper again
PRINTED = 0.45  # of a pen's width: printed lines are narrower
BESIDE = 0.15  # of the longer side of what is written: strokes so near belong to it


def find_ink(page: Grey) -> Grey | None:
    """How much ink there is at each place, 0 to 1, cut to where there is some; None if there is none."""
    found = ink_of_page(page)
    if found is None:
        return None
    ink, mask, unexplained = found
    is_alone = unexplained <= UNEXPLAINED and num_borders(mask) <= 1
    if not (is_alone and is_narrow(mask, extent_of(mask))) and (local := ink_of_surroundings(page)):
        is_part = np.median(ink[local[1]]) > 0.5  # of thick ink; what is written on a sheet stands out from it
        ink, mask = (ink, mask) if is_alone and is_part else local
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    near = ndimage.binary_dilation(mask, iterations=max(1, max(page.shape) // 100))
    cut: Grey = (ink * near)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cut


def num_borders(mask: Mask) -> int:
    """How many of a page's borders it reaches: a digit is cut off by one at most."""
    return sum(bool(border.any()) for border in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))


# ------------------------------------------------------------------------------- a page that is all paper


def ink_of_page(page: Grey) -> tuple[Grey, Mask, float] | None:
    """Ink, where it is, and how much of the page is neither ink nor paper, if all else is paper; None without ink."""
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
    unexplained = float(np.mean((np.abs(smooth) > level / 2) & ~near))
    return np.clip(difference / peak, 0, 1), mask, unexplained


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
        kept = terms[near]
        solution, *_ = np.linalg.lstsq(kept.T @ kept, kept.T @ values[near], rcond=None)
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
    """A connected part of a page that may be written."""

    place: tuple[slice, slice]  # the rectangle about it
    mask: Mask  # where it is in that
    weight: float  # how much contrast is in it, times its share of all that is there
    contrast: float  # that of its darkest strokes


def ink_of_surroundings(page: Grey) -> tuple[Grey, Mask] | None:
    """Ink and where it is, by the paper near to each place; None where nothing looks written."""
    smooth = ndimage.gaussian_filter(page, max(page.shape) * BLUR)
    found = [
        (thing, contrast, sign)
        for sign, contrast in ((-1, darkness(smooth)), (1, lightness(smooth)))
        if (thing := written_thing(contrast, sign * smooth))
    ]
    if not found:
        return None
    thing, contrast, sign = max(found, key=lambda one: one[0].weight)
    if (narrow := round(PRINTED * width_of(thing, contrast))) >= 2:
        contrast = ndimage.grey_opening(contrast, footprint=disc(narrow))
        thing = written_thing(contrast, sign * smooth) or thing
    return np.clip(contrast / thing.contrast, 0, 1), with_neighbours(thing, contrast)


def darkness(page: Grey) -> Grey:
    """How much darker each place is than the paper near to it, as a share of that, so that shadows do not count."""
    light: Grey = ndimage.grey_closing(page, max(3, round(WIDEST * max(page.shape))))
    return (light - page) / np.maximum(light, 0.15)


def lightness(page: Grey) -> Grey:
    """How much lighter each place is than what is near to it."""
    dark: Grey = ndimage.grey_opening(page, max(3, round(WIDEST * max(page.shape))))
    return page - dark


def written_thing(contrast: Grey, light: Grey) -> Thing | None:
    """The part that looks written and has most contrast in it, cut out at the lowest level that it ends at."""
    things = [thing for level in LEVELS for thing in things_at(contrast, level)]
    things.sort(key=lambda thing: -thing.weight)
    return next((thing for thing in things if has_edge(thing, light)), None)


def things_at(contrast: Grey, level: float) -> list[Thing]:
    """The parts above a level of contrast that end within the page, are large enough, and have narrow strokes."""
    labels, _ = ndimage.label(contrast > level, structure=AROUND)
    found = []
    for number, place in enumerate(ndimage.find_objects(labels), 1):
        inside = all(part.start > 0 and part.stop < side for part, side in zip(place, contrast.shape, strict=True))
        extent = max(part.stop - part.start for part in place)
        if inside and extent >= SMALLEST * max(contrast.shape):
            mask = labels[place] == number
            if is_narrow(mask, extent):
                found.append(measure(place, mask, contrast))
    return found


def is_narrow(mask: Mask, extent: int) -> bool:
    """Whether the strokes in a mask are narrow beside its longer side."""
    deepest = ndimage.distance_transform_edt(np.pad(mask, 1)).max()
    return bool(2 * deepest <= THICKEST * extent and mask.sum() <= FULLEST * extent * extent)


def measure(place: tuple[slice, slice], mask: Mask, contrast: Grey) -> Thing:
    """A part with its contrast; it is where it is nearly as dark as its darkest strokes."""
    strokes = contrast[place][mask]
    dark = float(np.quantile(strokes, 0.95))
    own, all_around = float((strokes**2).sum()), float((contrast[widen(place)] ** 2).sum())
    return Thing(place, without_specks(mask & (contrast[place] > INK_LEVEL * dark)), own * own / all_around, dark)


def widen(place: tuple[slice, slice]) -> tuple[slice, slice]:
    """A rectangle with what is around it, as far as the page goes."""
    more = round(AROUND_IT * max(part.stop - part.start for part in place))
    rows, columns = (slice(max(part.start - more, 0), part.stop + more) for part in place)
    return rows, columns


def width_of(thing: Thing, contrast: Grey) -> float:
    """The width of its strokes in pixels: the median along the middle of those that are darkest."""
    dark = np.pad(np.where(thing.mask, contrast[thing.place], 0), 1)
    depth = ndimage.distance_transform_edt(dark > 0.5 * thing.contrast)
    ridge = (dark > 0.9 * thing.contrast) & (depth == ndimage.maximum_filter(depth, 3))
    return float(2 * np.median(depth[ridge])) if ridge.any() else 0.0


def has_edge(thing: Thing, light: Grey) -> bool:
    """Whether a page has an edge all around a thing, as ink has, and is not mostly as light as that near to it.

    What is written is light here, its paper dark.
    """
    usual = np.median(light[widen(thing.place)])
    rows, columns = (slice(max(part.start - 3 * REACH, 0), part.stop + 3 * REACH) for part in thing.place)
    mask, light = whole(thing, light.shape)[rows, columns], light[rows, columns]
    away, nearest = ndimage.distance_transform_edt(~mask, return_indices=True)
    ring = (away > REACH - 1) & (away <= REACH)
    if not ring.any():
        return False
    step = ndimage.maximum_filter(light, 2 * REACH + 1)[tuple(nearest[:, ring])] - light[ring]
    ink = np.median(light[mask])
    height = ink - np.median(light[ring])
    if height < MIN_CONTRAST / 2 or ink - usual < 0.2 * height:
        return False
    return bool(np.mean(step < INK_LEVEL * height) <= 0.1)


def whole(thing: Thing, shape: tuple[int, ...]) -> Mask:
    """Where a thing is on its page."""
    mask = np.zeros(shape, bool)
    mask[thing.place] = thing.mask
    return mask


def with_neighbours(thing: Thing, contrast: Grey) -> Mask:
    """Where a thing is, with smaller parts near to it that are as dark: a stroke may stand apart."""
    mask = whole(thing, contrast.shape)
    labels, _ = ndimage.label((contrast > INK_LEVEL * thing.contrast) | mask, structure=AROUND)
    near = np.unique(labels[ndimage.distance_transform_edt(~mask) <= BESIDE * extent_of(mask)])
    cut = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    sizes, size = np.bincount(labels.ravel()), mask.sum()
    beside = [number for number in np.setdiff1d(near, [0, *cut]) if SPECK * size <= sizes[number] <= size]
    return mask | np.isin(labels, beside)


def extent_of(mask: Mask) -> int:
    """The longer side of what is in a mask, in pixels."""
    return max(int(np.ptp(np.flatnonzero(mask.any(axis=axis)))) + 1 for axis in (0, 1))


def disc(diameter: int) -> Mask:
    """A disc as a footprint."""
    y, x = np.mgrid[:diameter, :diameter] - (diameter - 1) / 2
    inside: Mask = x * x + y * y <= diameter * diameter / 4
    return inside
